/* make_pack.c - writes a small pack of known bytes: make_pack OUT. For tests that need a pack, but not the packer. */
#include "test_pack.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: make_pack OUT\n");
        return 2;
    }
    test_pack pack;
    test_pack_make(&(test_pack_desc){ .seed = 1, .asset_count = 200, .size_max = 60000, .textures = true }, &pack);
    FILE *file = fopen(argv[1], "wbe");
    bool ok = file != NULL && fwrite(pack.bytes, 1, pack.size, file) == pack.size;
    ok = file != NULL && fclose(file) == 0 && ok;
    test_pack_free(&pack);
    return ok ? 0 : 1;
}
