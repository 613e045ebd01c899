/* view_fixture.c - writes the packs that headless.sh shows the viewer.
 *
 *     view_fixture KIND OUT.leat      KIND: textures | changed (the same with other pictures) | damaged | blobs
 *     view_fixture dds OUT.dds SHADE  one grey texture of 256 x 256 with its mips */
#include "test_pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DDS_EDGE 256u

static void put(uint8_t *bytes, uint32_t offset, uint32_t value)
{
    memcpy(bytes + offset, &value, sizeof(value));
}

static int write_dds(const char *path, int shade)
{
    static uint8_t bytes[128 + DDS_EDGE * DDS_EDGE * 4 * 2];
    size_t size = 128;
    for (uint32_t edge = DDS_EDGE; edge > 0; edge /= 2) {
        memset(bytes + size, shade, (size_t)edge * edge * 4);
        size += (size_t)edge * edge * 4;
    }
    memcpy(bytes, "DDS ", 4);
    put(bytes, 4, 124);
    put(bytes, 8, 0x21007); /* caps, height, width, pixel format, mips */
    put(bytes, 12, DDS_EDGE);
    put(bytes, 16, DDS_EDGE);
    put(bytes, 28, 9);
    put(bytes, 76, 32);
    put(bytes, 80, 0x41); /* RGB and alpha, R in the lowest byte */
    put(bytes, 88, 32);
    put(bytes, 92, 0xff);
    put(bytes, 96, 0xff00);
    put(bytes, 100, 0xff0000);
    put(bytes, 104, 0xff000000);
    FILE *file = fopen(path, "wb");
    bool ok = file != NULL && fwrite(bytes, 1, size, file) == size;
    ok = file != NULL && fclose(file) == 0 && ok;
    return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "dds") == 0) {
        return write_dds(argv[2], atoi(argv[3]));
    }
    if (argc != 3) {
        fprintf(stderr, "usage: view_fixture textures|changed|damaged|blobs OUT.leat | dds OUT.dds SHADE\n");
        return 2;
    }
    test_pack_desc desc = { .seed = 7,
                            .asset_count = 60,
                            .size_min = 64,
                            .size_max = 300000,
                            .stored_every = 5,
                            .textures = strcmp(argv[1], "blobs") != 0 };
    if (strcmp(argv[1], "changed") == 0) {
        desc.variant = 1;
        desc.variant_every = 2;
    }
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
