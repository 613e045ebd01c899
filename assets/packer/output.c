/* output.c - see output.h. */
#include "output.h"

#include "pack_index.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void message_print(const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    va_start(arguments, format);
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    fputs("leat: ", stderr);
    for (const unsigned char *at = (const unsigned char *)(size < 0 ? "out of memory" : text); *at != '\0'; ++at) {
        bool two = at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f;
        fputc(two || *at < 0x20 || *at == 0x7f ? '?' : *at, stderr);
        at += two;
    }
    fputc('\n', stderr);
    free(size < 0 ? NULL : text);
}

static void text_repair(char *text)
{
    size_t left = strlen(text);
    for (uint8_t *at = (uint8_t *)text; left > 0;) {
        size_t size = pack_utf8_sequence(at, left);
        if (size == 0) {
            *at = '?';
            size = 1;
        }
        at += size;
        left -= size;
    }
}

/* As deep as the trees that commands build, which is three levels. */
static void texts_repair(cJSON *item)
{
    for (; item != NULL; item = item->next) {
        if (cJSON_IsString(item)) {
            text_repair(item->valuestring);
        }
        texts_repair(item->child);
    }
}

static void tree_print(cJSON *root, const char *before, const char *after)
{
    texts_repair(root);
    char *text = cJSON_Print(root);
    printf("%s%s%s", before, text != NULL ? text : "{}", after);
    cJSON_free(text);
    cJSON_Delete(root);
}

void json_print(cJSON *root)
{
    tree_print(root, "", "\n");
}

void json_array_begin(void)
{
    printf("[");
}

void json_array_add(cJSON *item, bool first)
{
    tree_print(item, first ? "" : ", ", "");
}

void json_array_end(void)
{
    printf("]\n");
}

size_text size_to_text(uint64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB" };
    double size = (double)bytes;
    uint32_t unit = 0;
    for (; size >= 1024 && unit < 3; ++unit) {
        size /= 1024;
    }
    size_text t;
    snprintf(t.text, sizeof(t.text), "%.*f %s", unit > 0, size, units[unit]);
    return t;
}

count_text count_to_text(uint64_t count, const char *one, const char *many)
{
    count_text t;
    snprintf(t.text, sizeof(t.text), "%llu %s", (unsigned long long)count, count == 1 ? one : many);
    return t;
}
