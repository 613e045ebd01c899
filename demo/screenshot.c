/* screenshot.c - stb_image_write, through a memory buffer so that a full disk is noticed. */
#include "screenshot.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wunused-function"
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

typedef struct sink {
    FILE *file;
    bool failed;
} sink;

static void sink_take(void *context, void *data, int size)
{
    sink *s = context;
    s->failed = s->failed || fwrite(data, 1, (size_t)size, s->file) != (size_t)size;
}

/* What is no file, /dev/stdout say, is not ours to remove. */
static bool is_file(FILE *file)
{
    struct stat status;
    return fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode);
}

bool screenshot_write(const char *path, uint32_t width, uint32_t height, const uint8_t *rgb)
{
    sink s = { .file = fopen(path, "wb") };
    if (s.file == NULL) {
        return false;
    }
    bool ok = stbi_write_png_to_func(sink_take, &s, (int)width, (int)height, 3, rgb, (int)width * 3) != 0 && !s.failed;
    int error = errno;
    bool removable = is_file(s.file);
    if (fclose(s.file) != 0 || !ok) {
        error = ok ? errno : error;
        if (removable) {
            (void)remove(path);
        }
        errno = error;
        return false;
    }
    return true;
}
