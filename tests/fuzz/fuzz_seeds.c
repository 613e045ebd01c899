/* fuzz_seeds.c - writes the first inputs of the fuzz targets, from the golden pack and from nothing: fuzz_seeds FOLDER.
 *
 * What fuzzing found worth keeping is beside them in the corpus, under the names that libFuzzer gives. */
#include "fuzz.h"
#include "golden.h"

#ifdef LEAT_FUZZ_PACKER
#include "product.h"
#include "wire.h"
#endif

#include <lz4.h>
#include <sys/stat.h>

#define PATH_BYTES_MAX 4096u

static void seed(const char *folder, const char *target, const char *name, const void *begin, size_t begin_size,
                 const void *rest, size_t rest_size)
{
    char path[PATH_BYTES_MAX];
    snprintf(path, sizeof(path), "%s/%s", folder, target);
    mkdir(path, 0777);
    snprintf(path, sizeof(path), "%s/%s/seed-%s", folder, target, name);
    FILE *file = fopen(path, "wbe");
    if (file == NULL || fwrite(begin, 1, begin_size, file) != begin_size ||
        fwrite(rest, 1, rest_size, file) != rest_size || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static void seed_index(const char *folder, const golden_pack *pack, const char *name, uint8_t flags)
{
    const leat_pack_header *h = (const void *)pack->bytes;
    uint8_t begin[1 + offsetof(leat_pack_header, reserved)] = { flags };
    memcpy(begin + 1, h, sizeof(begin) - 1);
    seed(folder, "index", name, begin, sizeof(begin), pack->bytes + 2 * sizeof(*h), pack->size - 2 * sizeof(*h));
}

static void seed_chunks(const char *folder, const golden_pack *pack)
{
    const uint8_t run[4] = { 0, 128, 0, 0 }, literals[4] = { 0, 196, 0, 0 }, stored[4] = { 1, 0, 0, 0 },
                  trip[4] = { 2, 0, 0, 0 };
    seed(folder, "chunk", "run", run, sizeof(run), pack->bytes + 4096, 11);
    seed(folder, "chunk", "literals", literals, sizeof(literals), pack->bytes + 4384, 198);
    seed(folder, "chunk", "stored", stored, sizeof(stored), pack->bytes + 4112, 64);
    seed(folder, "chunk", "round-trip", trip, sizeof(trip), pack->bytes, 400);
    char packed[512];
    int size = LZ4_compress_default((const char *)pack->bytes, packed, 400, (int)sizeof(packed));
    const uint8_t header[4] = { 0, 144, 1, 0 };
    seed(folder, "chunk", "header", header, sizeof(header), packed, (size_t)size);
}

static void seed_metadata(const char *folder, const golden_pack *pack)
{
    static const struct {
        golden_asset asset;
        const char *name;
    } seeds[] = { { GOLDEN_BLOB, "blob" },
                  { GOLDEN_TEXTURE, "texture" },
                  { GOLDEN_CUBE, "cube" },
                  { GOLDEN_MESH, "mesh" },
                  { GOLDEN_MATERIAL, "material" } };
    const leat_pack_header *h = (const void *)pack->bytes;
    const uint8_t *index = pack->bytes + h->index_offset;
    for (uint32_t i = 0; i < COUNT_OF(seeds); ++i) {
        const leat_pack_asset_record *a =
            (const leat_pack_asset_record *)(const void *)index + pack->positions[seeds[i].asset];
        uint8_t begin[16] = { a->type, (uint8_t)a->raw_size, (uint8_t)(a->raw_size >> 8), 0, 0, (uint8_t)i };
        seed(folder, "metadata", seeds[i].name, begin, sizeof(begin),
             index + h->sections[LEAT_PACK_SECTION_METADATA].offset + a->metadata_offset, a->metadata_size);
    }
}

static void seed_names(const char *folder)
{
    static const char *const names[] = {
        "a",    "textures/rock_n.png", "gr\xc3\xbcn/\xe2\x82\xac/\xf0\x9f\x98\x80", "../a", "a//b", "a/.", "/a",
        "a\\b", "a\xed\xa0\x80"
    };
    for (uint32_t i = 0; i < COUNT_OF(names); ++i) {
        char name[8];
        snprintf(name, sizeof(name), "%u", i);
        seed(folder, "names", name, names[i], strlen(names[i]), "", 0);
    }
}

/* A settings block, then calls: see fuzz_stream.c. */
static void seed_streams(const char *folder)
{
    /* preset and seed; four rates that retries mend; three that they do not; rare; then the desc */
    uint8_t calm[] = { 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 63, 0, 31, 0, 7, 0, 16, 2, 1, 0, 0, 0, 0 };
    static const uint8_t script[] = { 0,    0x08, 0x40, 0,  0,    0, 0x11, 0x81, 9,    0,    0,  0,    0,
                                      0x23, 0x02, 1,    4,  0,    9, 0,    0,    12,   0x41, 0,  26,   2,
                                      0,    28,   0x81, 0,  0x0a, 1, 0,    0x81, 28,   0x81, 12, 0x6f, 0,
                                      24,   0,    18,   1,  20,   2, 3,    22,   0x13, 23,   1,  12,   0x8f,
                                      3,    23,   1,    31, 1,    0, 1,    1,    1,    1,    12, 0xaf, 0 };
    uint8_t faults[sizeof(calm)];
    memcpy(faults, calm, sizeof(calm));
    memset(faults + 3, 60, 4);
    memset(faults + 7, 0x90, 3);
    seed(folder, "stream", "calm", calm, sizeof(calm), script, sizeof(script));
    seed(folder, "stream", "faults", faults, sizeof(faults), script, sizeof(script));
    calm[sizeof(calm) - 2] = 2; /* two damages */
    seed(folder, "stream", "damage", calm, sizeof(calm), script, sizeof(script));
}

#ifdef LEAT_FUZZ_PACKER
static void seed_models(const char *folder)
{
    uint8_t raw[32] = { 1, 2, 3 };
    uint64_t cuts[2] = { 8, 16 };
    leat_pack_reference_record reference = { .name_hash = LEAT_NAME("b"), .role = LEAT_REFERENCE_MATERIAL };
    import_asset asset = { .name = "a.obj",
                           .type = LEAT_ASSET_BLOB,
                           .raw = raw,
                           .raw_size = sizeof(raw),
                           .metadata = raw,
                           .metadata_size = 8,
                           .references = &reference,
                           .reference_count = 1,
                           .cuts = cuts,
                           .cut_count = 2 };
    import_image image = {
        .name = "a.obj#image0.png", .bytes = raw, .size = sizeof(raw), .usage = TEXTURE_USAGE_NORMAL
    };
    import_usage usage = { .name = "b.png", .usage = TEXTURE_USAGE_COLOR };
    import_message message = { .level = IMPORT_WARNING, .text = "a.obj: is small" };
    import_lookup lookup = { .kind = LOOKUP_BESIDE, .text = "a.mtl", .answer = { 1, 2 } };
    import_result result = { .assets = &asset,
                             .asset_count = 1,
                             .images = &image,
                             .image_count = 1,
                             .usages = &usage,
                             .usage_count = 1,
                             .messages = &message,
                             .message_count = 1,
                             .lookups = &lookup,
                             .lookup_count = 1 };
    size_t size = 0;
    uint8_t *wire = import_pack(&result, true, &size);
    seed(folder, "model", "wire", "\0", 1, wire, size);
    free(wire);
    /* A tetrahedron, a grid of steep hills, and floats of all sizes. */
    static const uint8_t corners[] = { 1, 0x01, 3, 0, 0, 0, 1, 9, 0, 0, 2, 0, 9, 0, 3, 0, 0, 0, 1, 0, 9, 0, 3, 0, 0, 9,
                                       4, 0,    0, 0, 1, 0, 0, 9, 4, 9, 0, 0, 2, 9, 0, 0, 2, 0, 0, 9, 4, 0, 9, 0, 3 };
    uint8_t hills[2 + 1 + 4 * 6 * 81] = { 1, 0x07, 191 };
    for (uint32_t i = 0, at = 3; i < 81; ++i) {
        static const uint8_t corner[6][2] = { { 0, 0 }, { 1, 0 }, { 0, 1 }, { 1, 0 }, { 1, 1 }, { 0, 1 } };
        for (uint32_t k = 0; k < 6; ++k) {
            uint32_t x = i % 9 + corner[k][0], y = i / 9 + corner[k][1];
            hills[at++] = (uint8_t)(x * 9);
            hills[at++] = (uint8_t)(y * 9);
            hills[at++] = (uint8_t)(x * y * 37 % 23);
            hills[at++] = (uint8_t)x;
        }
    }
    seed(folder, "model", "corners", corners, sizeof(corners), "", 0);
    seed(folder, "model", "hills", hills, sizeof(hills), "", 0);
    hills[1] = 0x8f;
    seed(folder, "model", "wild", hills, 600, "", 0);
}

/* As the cache keeps them: one whose asset is small, one with chunks; then with all that a model's import leaves. */
static void seed_product(const char *folder, const char *name, uint32_t width, uint32_t height, bool model)
{
    static uint8_t texels[64 * 512 * 4];
    const product_maker maker = { .format = TEXTURE_FORMAT_RGBA8, .level = 9 };
    const import_image image = { .name = "a.png",
                                 .bytes = texels,
                                 .size = (uint64_t)width * height * 4,
                                 .width = width,
                                 .height = height,
                                 .usage = TEXTURE_USAGE_COLOR };
    product *p = product_of_image(&maker, &image, &(texture_settings){ 0 });
    if (p != NULL && model) {
        const import_image inside = { .name = strdup("a#image0"), .bytes = calloc(1, 8), .size = 8 };
        leat_pack_reference_record *references = calloc(1, sizeof(*references));
        references->name_hash = LEAT_NAME("b");
        p->assets[0].asset.references = references;
        p->assets[0].asset.reference_count = 1;
        import_add_image(&p->imported, &inside);
        import_add_usage(&p->imported, "b.png", TEXTURE_USAGE_NORMAL);
        import_add_message(&p->imported, IMPORT_WARNING, "a is small");
        import_add_lookup(&p->imported, LOOKUP_BESIDE, "a.mtl", (const uint64_t[2]){ 1, 2 });
    }
    size_t size = 0;
    uint8_t *bytes = p != NULL ? product_save(p, &size) : NULL;
    if (bytes == NULL) {
        fprintf(stderr, "out of memory for the product %s\n", name);
        exit(1);
    }
    seed(folder, "product", name, bytes, size, "", 0);
    free(bytes);
    product_free(p);
}
#endif

int main(int argc, char **argv)
{
    static golden_pack pack;
    if (argc != 2) {
        fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
        return 2;
    }
    golden_base(&pack, NULL, 0);
    seed_index(argv[1], &pack, "whole", 0);
    seed_index(argv[1], &pack, "fixed", 7);
    seed_index(argv[1], &pack, "searched", 15);
    seed_chunks(argv[1], &pack);
    seed_metadata(argv[1], &pack);
    seed_names(argv[1]);
    seed_streams(argv[1]);
#ifdef LEAT_FUZZ_PACKER
    seed_models(argv[1]);
    seed_product(argv[1], "small", 4, 4, false);
    seed_product(argv[1], "chunks", 64, 512, false);
    seed_product(argv[1], "model", 4, 4, true);
#endif
    return 0;
}
