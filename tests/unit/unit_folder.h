/* unit_folder.h - a folder of its own under $TMPDIR for one test, and files in it. One at a time. */
#ifndef LEAT_TEST_UNIT_FOLDER_H
#define LEAT_TEST_UNIT_FOLDER_H

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char unit_root[128];

static inline void unit_folder_make(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(unit_root, sizeof(unit_root), "%.90s/leat_unit_XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(unit_root));
}

static inline void unit_folder_remove(void)
{
    char command[200];
    snprintf(command, sizeof(command), "rm -rf '%s'", unit_root);
    assert_int_equal(system(command), 0);
}

/* Valid until the next call. */
static inline const char *unit_path(const char *name)
{
    static char path[sizeof(unit_root) + 300];
    snprintf(path, sizeof(path), "%s/%s", unit_root, name);
    return path;
}

static inline void unit_file_make(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(unit_path(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline void unit_subfolder_make(const char *name)
{
    assert_int_equal(mkdir(unit_path(name), 0755), 0);
}

#endif
