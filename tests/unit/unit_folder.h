/* unit_folder.h - a folder of its own under $TMPDIR for one test, and files in it. One at a time. */
#ifndef LEAT_TEST_UNIT_FOLDER_H
#define LEAT_TEST_UNIT_FOLDER_H

#include "scratch.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char unit_root[SCRATCH_SIZE];

static inline void unit_folder_make(void)
{
    scratch_folder_make("leat-unit", unit_root);
}

static inline void unit_folder_remove(void)
{
    scratch_folder_remove(unit_root);
}

/* Valid until the next call. */
static inline const char *unit_path(const char *name)
{
    static char path[SCRATCH_PATH_SIZE];
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
