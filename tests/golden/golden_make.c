/* golden_make.c - writes the golden packs: golden_make FOLDER. Only for new rows: files that are there stay as they
 * are. */
#include "golden.h"

#include <stdio.h>
#include <string.h>

#define PATH_BYTES_MAX 4096u

static bool write_new(const char *folder, const char *name, const golden_pack *pack, uint32_t *written)
{
    char path[PATH_BYTES_MAX];
    snprintf(path, sizeof(path), "%s/%s.leat", folder, name);
    FILE *file = fopen(path, "rbe");
    if (file != NULL) {
        fclose(file);
        return true;
    }
    file = fopen(path, "wbe");
    bool ok = file != NULL && fwrite(pack->bytes, 1, pack->size, file) == pack->size;
    ok = file != NULL && fclose(file) == 0 && ok;
    if (!ok) {
        perror(path);
    }
    *written += ok ? 1 : 0;
    return ok;
}

int main(int argc, char **argv)
{
    static golden_pack pack;
    uint32_t written = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: golden_make FOLDER\n");
        return 2;
    }
    golden_base(&pack, NULL, 0);
    bool ok = write_new(argv[1], "valid-1", &pack, &written);
    for (uint32_t i = 0; i < golden_row_count && ok; ++i) {
        golden_row_make(&golden_rows[i], &pack);
        ok = write_new(argv[1], golden_rows[i].name, &pack, &written);
    }
    printf("%u rows, %u files written\n", golden_row_count, written);
    return ok ? 0 : 1;
}
