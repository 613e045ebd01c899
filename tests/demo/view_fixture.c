/* view_fixture.c - writes the packs that headless.sh shows the viewer.
 *
 *     view_fixture KIND OUT.leat      KIND: textures | damaged | blobs */
#include "test_pack.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: view_fixture textures|damaged|blobs OUT.leat\n");
        return 2;
    }
    test_pack_desc desc = { .seed = 7,
                            .asset_count = 60,
                            .size_min = 64,
                            .size_max = 300000,
                            .stored_every = 5,
                            .textures = strcmp(argv[1], "blobs") != 0 };
    test_pack pack;
    test_pack_make(&desc, &pack);
    if (strcmp(argv[1], "damaged") == 0) {
        /* Every fourth chunk: a byte in its middle, behind the back of its hash. */
        for (uint32_t i = 0; i < pack.chunk_count; i += 4) {
            pack.bytes[pack.chunks[i].file_offset + pack.chunks[i].packed_size / 2] ^= 0x55;
        }
    }
    FILE *file = fopen(argv[2], "wb");
    bool ok = file != NULL && fwrite(pack.bytes, 1, pack.size, file) == pack.size;
    ok = file != NULL && fclose(file) == 0 && ok;
    test_pack_free(&pack);
    return ok ? 0 : 1;
}
