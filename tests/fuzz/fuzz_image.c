/* fuzz_image.c - any bytes as an image (PNG, JPEG, TGA, BMP, PSD, GIF, HDR, PNM, DDS) through the packer's import.
 *
 * Input: one byte of settings, then the file. What comes out must be a texture that the reader accepts, with cuts that
 * ascend in it; and what can be shown again, decodes. Images that say they have more than 2^12 texels are left out: the
 * import takes up to 2^28 and the memory that goes with them, on purpose, and a fuzzer has better things to do. */
#include "fuzz.h"
#include "fuzz_pack.h"
#include "texture.h"
#include "texture_import.h"

#include <stb_image.h>

#define TEXELS_MAX (1u << 12)

static bool too_large(const uint8_t *bytes, size_t size)
{
    int width = 0, height = 0, channels = 0;
    if (size >= 20 && memcmp(bytes, "DDS ", 4) == 0) {
        return false; /* holds its texels: not larger than the file */
    }
    return stbi_info_from_memory(bytes, (int)size, &width, &height, &channels) != 0 &&
           (uint64_t)width * (uint64_t)height > TEXELS_MAX;
}

static void check_decode(const import_asset *a, const leat_pack_texture_metadata *m)
{
    uint32_t edge = leat_format_block_edge((leat_format)m->format);
    uint64_t top = ((uint64_t)m->width + edge - 1) / edge * (((uint64_t)m->height + edge - 1) / edge) *
                   leat_format_block_size((leat_format)m->format);
    uint8_t *rgba = malloc((uint64_t)m->width * m->height * 4);
    if (top <= a->raw_size) {
        (void)texture_decode(m->format, m->width, m->height, a->raw + a->raw_size - top, rgba);
    }
    free(rgba);
    uint64_t size = 0;
    uint8_t *dds = texture_dds_write(m, a->raw, a->raw_size, &size);
    import_asset again = { 0 };
    const char *why = "";
    if (m->width <= TEXTURE_EDGE_MAX && m->height <= TEXTURE_EDGE_MAX) {
        FUZZ_CHECK(texture_dds_read(dds, size, TEXTURE_USAGE_COLOR, 0, &again, &why), "our own DDS is not read");
        FUZZ_CHECK(again.raw_size == a->raw_size && memcmp(again.raw, a->raw, a->raw_size) == 0,
                   "a DDS does not come back");
    }
    import_asset_free(&again);
    free(dds);
}

static void check_asset(const import_asset *a)
{
    FUZZ_CHECK(a->type == LEAT_ASSET_TEXTURE && a->metadata_size == sizeof(leat_pack_texture_metadata), "no texture");
    FUZZ_CHECK(fuzz_pack_accepts(a->type, a->metadata, a->metadata_size, a->raw_size), "the reader refuses it");
    for (uint32_t i = 0; i < a->cut_count; ++i) {
        FUZZ_CHECK(a->cuts[i] < a->raw_size && (i == 0 || a->cuts[i] > a->cuts[i - 1]), "cuts do not ascend");
    }
    check_decode(a, a->metadata);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 1 || too_large(bytes + 1, size - 1)) {
        return 0;
    }
    uint8_t settings = bytes[0];
    import_image image = { .name = "image", .size = size - 1, .usage = (texture_usage)(settings % 5) };
    image.bytes = malloc(size); /* the import only reads it, but takes no const */
    memcpy(image.bytes, bytes + 1, size - 1);
    if (settings & 0x80 && size - 1 >= 16 * 4) { /* raw RGBA8, as models hold it */
        image.width = 16;
        image.height = (uint32_t)((size - 1) / 64);
        image.size = (uint64_t)image.width * image.height * 4;
    }
    import_result result = { 0 };
    const texture_settings asked = { .format = (texture_format)(settings / 5 % 3),
                                     .usage = settings & 0x40 ? image.usage : TEXTURE_USAGE_UNKNOWN,
                                     .mip_count_max = settings / 15 % 4 };
    bool good = texture_import(&image, image.name, &asked, &result);
    FUZZ_CHECK(good ? result.asset_count == 1 : result.asset_count == 0 && result.message_count > 0,
               "neither an asset nor a word");
    for (uint32_t i = 0; i < result.asset_count; ++i) {
        check_asset(&result.assets[i]);
    }
    import_result_free(&result);
    free(image.bytes);
    return 0;
}
