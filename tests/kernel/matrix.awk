# matrix.awk - the lines of suite.sh as a page of tables. Mode, file system, sandbox and kernel come in the order in which
# they were run; a cell says what was granted, with a number for what was done instead.

function field(name,    at, text)
{
    at = index($0, " " name "=")
    if (!at) {
        return ""
    }
    text = substr($0, at + length(name) + 2)
    if (substr(text, 1, 1) == "\"") {
        match(text, /^"([^"\\]|\\.)*/)
        return substr(text, 2, RLENGTH - 1)
    }
    sub(/ .*/, "", text)
    return text
}

function once(list, value)
{
    if (!((list, value) in seen)) {
        seen[list, value] = 1
        listed[list, ++count[list]] = value
    }
}

# The number of a note, made when it is first needed.
function note(text)
{
    if (!(text in note_number)) {
        note_number[text] = ++note_count
        note_text[note_count] = text
    }
    return note_number[text]
}

function row(first, cells)
{
    print "| " first cells " |"
}

function kernel_name(kernel)
{
    return kernel == "host" ? "The development machine's" : "Debian's " kernel
}

# What a cell of a table of modes says.
function mode_cell(kernel, fs, sandbox, mode,    key, text)
{
    key = kernel SUBSEP fs SUBSEP sandbox SUBSEP mode
    if (!(key in granted)) {
        return (kernel SUBSEP fs SUBSEP sandbox) in skipped ? "not tried [" note(skipped[kernel, fs, sandbox]) "]" : "–"
    }
    text = granted[key] == "yes" ? "works" : "falls back [" note(instead[key]) "]"
    return bytes[key] == "identical" ? text : "**WRONG BYTES**"
}

function mode_table(kernel, columns, by,    i, j, cells, line)
{
    cells = ""
    line = "|---"
    for (j = 1; j <= count[columns]; ++j) {
        cells = cells " | " listed[columns, j]
        line = line "|---"
    }
    row("mode", cells)
    print line "|"
    for (i = 1; i <= count["mode"]; ++i) {
        cells = ""
        for (j = 1; j <= count[columns]; ++j) {
            cells = cells " | " (by == "fs" ? mode_cell(kernel, listed[columns, j], "none", listed["mode", i]) \
                                            : mode_cell(kernel, "ext4", listed[columns, j], listed["mode", i]))
        }
        row("`" listed["mode", i] "`", cells)
    }
    print ""
}

function suite_table(    i, j, k, cells, line, place, result)
{
    cells = ""
    line = "|---|---"
    for (k = 1; k <= count["kernel"]; ++k) {
        cells = cells " | " (listed["kernel", k] == "host" ? "development machine" : listed["kernel", k])
        line = line "|---"
    }
    row("file system | sandbox", cells)
    print line "|"
    for (i = 1; i <= count["suite"]; ++i) {
        place = listed["suite", i]
        split(place, part, SUBSEP)
        cells = ""
        for (k = 1; k <= count["kernel"]; ++k) {
            result = ""
            for (j = 1; j <= count["test"]; ++j) {
                if ((listed["kernel", k], part[1], part[2], listed["test", j]) in outcome) {
                    result = result (result == "" ? "" : ", ") listed["test", j] " " \
                        outcome[listed["kernel", k], part[1], part[2], listed["test", j]]
                }
            }
            cells = cells " | " (result == "" ? "–" : result)
        }
        row(part[1] " | " part[2], cells)
    }
    print ""
}

{
    kernel = field("kernel")
    fs = field("fs")
    sandbox = field("sandbox")
    place = fs SUBSEP sandbox
}
$1 == "@cell" {
    once("kernel", kernel)
    if (!((kernel, field("release")) in released)) { # cells of one series may have been run on more than one
        released[kernel, field("release")] = 1
        release[kernel] = release[kernel] (release[kernel] == "" ? "" : ", ") field("release")
    }
}
$1 == "@cell" && sandbox == "none" {
    once("fs", fs)
    polled[kernel, fs] = field("io_poll")
}
$1 == "@cell" && fs == "ext4" && sandbox != "none" {
    once("sandbox", sandbox)
}
$1 == "@skip" {
    skipped[kernel, fs, sandbox] = field("why")
}
$1 == "@test" && field("test") != "leat-modes" {
    once("suite", place)
    once("test", field("test"))
    outcome[kernel, fs, sandbox, field("test")] = field("result")
}
$1 == "@mode" {
    read_count[kernel] += 1
    identical_count[kernel] += field("bytes") == "identical"
}
$1 == "@mode" {
    once("mode", field("mode"))
    key = kernel SUBSEP place SUBSEP field("mode")
    granted[key] = field("granted")
    instead[key] = field("fallback") ": " field("why")
    bytes[key] = field("bytes")
}
$1 == "@polled" {
    without_interrupts[kernel] = field("without_interrupts")
}
$1 == "@more" {
    more_count[kernel] += fs != "ext4" && sandbox != "none"
    read_count[kernel] += field("modes")
    identical_count[kernel] += field("identical")
}

END {
    print "# What works where\n"
    print "Made by `tests/kernel/run.sh --matrix --write` from what the tests printed; do not edit. In each cell `leat-modes` has read"
    print "a file of 8 MiB (past the page cache and through it) and 24 loose files in that mode, and compared"
    print "every byte with what was written. `works`: the mode was granted. `falls back`: Leat read the same bytes another way; the"
    print "number leads to which, and why. Each mode was read with it switched off as well. Bytes that differ would be shown here,"
    print "and the tests would have failed.\n"
    print "| kernel | release | readings | with identical bytes |"
    print "|---|---|---|---|"
    for (k = 1; k <= count["kernel"]; ++k) {
        kernel = listed["kernel", k]
        row(kernel_name(kernel) " | " release[kernel] " | " read_count[kernel] " | " identical_count[kernel], "")
    }
    print ""
    for (k = 1; k <= count["kernel"]; ++k) {
        kernel = listed["kernel", k]
        print "## " kernel_name(kernel) "\n"
        print (polled[kernel, "ext4"] == 1 ? "As root, on an NVMe drive with queues to poll (emulated)." : \
            "As root, on loop devices, which have no queues to poll.") "\n"
        if (without_interrupts[kernel] != "") {
            print "The drive's interrupts were counted: " (without_interrupts[kernel] == "yes" ? "none for reads with `iopoll`, " \
                "hundreds for as many by threads.\n" : "**there are some** with `iopoll`.\n")
        }
        mode_table(kernel, "fs", "fs")
        print "On ext4, in each sandbox:\n"
        mode_table(kernel, "sandbox", "sandbox")
        if (more_count[kernel] > 0) {
            print "On each of the other file systems in each sandbox, " more_count[kernel] " cells, a file was read with all modes on at once.\n"
        }
    }
    print "## The backend suite\n"
    suite_table()
    print "## What is done instead, and why\n"
    for (i = 1; i <= note_count; ++i) {
        print i ". " note_text[i]
    }
}
