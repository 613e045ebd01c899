/* texture_import.c - see texture_import.h.
 *
 * The content decides, not the extension: DDS by its magic, everything else is shown to stb_image. Sizes are looked at
 * before anything is decoded, so that a small file cannot ask for much memory. Only the first image of a GIF is used.
 */
#include "texture_import.h"
#include "base.h"
#include "jpeg_check.h"
#include "texture.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <stb_image.h>

#define TEXELS_MAX ((uint64_t)1 << 28) /* 1 GiB as RGBA8 */
#define PNG_CHUNK_FRAME 12u /* length, type and checksum around a chunk's bytes */

typedef struct image_bytes {
    const uint8_t *bytes;
    uint64_t size;
    const char *name; /* for messages: the path */
} image_bytes;

static uint32_t big_endian(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* stb_image believes a PNG's chunk lengths, and asks for as much memory: each must lie in the file. */
static bool png_is_cut(const image_bytes *image)
{
    static const uint8_t magic[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
    if (image->size < sizeof(magic) || memcmp(image->bytes, magic, sizeof(magic)) != 0) {
        return false;
    }
    uint64_t at = sizeof(magic);
    while (image->size - at >= PNG_CHUNK_FRAME) {
        const uint8_t *c = image->bytes + at;
        uint64_t length = big_endian(c);
        if (memcmp(c + 4, "IEND", 4) == 0) {
            return false;
        }
        if (length > image->size - at - PNG_CHUNK_FRAME) {
            return true;
        }
        at += PNG_CHUNK_FRAME + length;
    }
    return true;
}

/* stb_image 2.28 makes a PNM of 16 bits a channel into RGBA as if it had 8, and then reads on behind it. */
static bool pnm_is_deep(const image_bytes *image)
{
    return image->size >= 2 && image->bytes[0] == 'P' && (image->bytes[1] == '5' || image->bytes[1] == '6') &&
           stbi_is_16_bit_from_memory(image->bytes, (int)image->size) != 0;
}

static bool size_is_good(int width, int height)
{
    return width >= 1 && height >= 1 && (uint32_t)width <= TEXTURE_EDGE_MAX && (uint32_t)height <= TEXTURE_EDGE_MAX &&
           (uint64_t)width * (uint64_t)height <= TEXELS_MAX;
}

/* What its header says: of a PNG file that is far too large stb_image says that it is of an unknown type. */
static bool png_size_of(const image_bytes *image, int *width, int *height)
{
    static const uint8_t begin[16] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    if (image->size < sizeof(begin) + 8 || memcmp(image->bytes, begin, sizeof(begin)) != 0) {
        return false;
    }
    *width = (int)u32_min(big_endian(image->bytes + 16), INT32_MAX);
    *height = (int)u32_min(big_endian(image->bytes + 20), INT32_MAX);
    return true;
}

/* Loads levels[0]. Grey and RGB images get an opaque alpha. */
static bool image_load(const image_bytes *image, texture_chain *chain, import_result *result)
{
    int width = 0, height = 0, channels = 0, size = (int)image->size;
    if (image->size > INT_MAX) {
        import_add_message(result, IMPORT_ERROR, "%s: is larger than 2 GiB", image->name);
        return false;
    }
    if (png_is_cut(image)) {
        import_add_message(result, IMPORT_ERROR, "%s: is a PNG file that ends in the middle; copy it again",
                           image->name);
        return false;
    }
    if (!jpeg_is_safe(image->bytes, image->size)) {
        import_add_message(result, IMPORT_ERROR,
                           "%s: is a damaged JPEG file (its Huffman tables are missing or too long)", image->name);
        return false;
    }
    if (pnm_is_deep(image)) {
        import_add_message(result, IMPORT_ERROR, "%s: has more than 8 bits a channel, which is read of PNG files only",
                           image->name);
        return false;
    }
    if (stbi_info_from_memory(image->bytes, size, &width, &height, &channels) == 0) {
        const char *why = stbi_failure_reason();
        if (!png_size_of(image, &width, &height) || size_is_good(width, height)) {
            import_add_message(result, IMPORT_ERROR, "%s: cannot be read as an image (%s)", image->name, why);
            return false;
        }
    }
    if (!size_is_good(width, height)) {
        import_add_message(result, IMPORT_ERROR, "%s: has %d x %d texels; at most %u an edge and 2^28 in all go in",
                           image->name, width, height, TEXTURE_EDGE_MAX);
        return false;
    }
    texture_level *level = &chain->levels[0];
    if (stbi_is_hdr_from_memory(image->bytes, size) != 0) {
        level->pixels_float = stbi_loadf_from_memory(image->bytes, size, &width, &height, &channels, 4);
    } else {
        level->pixels = stbi_load_from_memory(image->bytes, size, &width, &height, &channels, 4);
    }
    if (level->pixels == NULL && level->pixels_float == NULL) {
        import_add_message(result, IMPORT_ERROR, "%s: cannot be decoded (%s)", image->name, stbi_failure_reason());
        return false;
    }
    level->width = (uint32_t)width;
    level->height = (uint32_t)height;
    chain->level_count = 1;
    return true;
}

/* What is said about the use: by a rule, else a material, else the name. */
static texture_usage usage_find(const import_image *image, const texture_settings *settings,
                                texture_usage_source *source)
{
    *source = settings->usage != TEXTURE_USAGE_UNKNOWN ? USAGE_BY_RULE
              : image->usage != TEXTURE_USAGE_UNKNOWN  ? USAGE_BY_MATERIAL
                                                       : USAGE_BY_NAME;
    return *source == USAGE_BY_RULE       ? settings->usage
           : *source == USAGE_BY_MATERIAL ? image->usage
                                          : texture_usage_by_name(image->name);
}

/* chain->levels[0] is loaded. Takes the chain's memory. */
static bool chain_finish(texture_chain *chain, const import_image *image, const texture_settings *settings,
                         import_result *result)
{
    import_asset asset = { .name = strdup(image->name) };
    texture_usage_source source;
    texture_usage usage = usage_find(image, settings, &source);
    texture_usage_settle(chain, usage, source);
    chain->level_count_max = settings->mip_count_max;
    bool ok = asset.name != NULL && texture_mips_make(chain) && texture_encode(chain, settings->format, &asset);
    texture_chain_free(chain);
    if (!ok) {
        import_asset_free(&asset);
        import_add_message(result, IMPORT_ERROR, "%s: out of memory while making its mips", image->name);
        return false;
    }
    return import_add_asset(result, &asset);
}

static bool dds_import(const import_image *image, const char *path, const texture_settings *settings,
                       import_result *result)
{
    import_asset asset = { 0 };
    const char *why = "";
    texture_usage_source source;
    if (!texture_dds_read(image->bytes, image->size, usage_find(image, settings, &source), settings->mip_count_max,
                          &asset, &why)) {
        import_asset_free(&asset);
        import_add_message(result, IMPORT_ERROR, "%s: %s", path, why);
        return false;
    }
    asset.name = strdup(image->name);
    if (asset.name == NULL) {
        import_asset_free(&asset);
        return false;
    }
    return import_add_asset(result, &asset);
}

bool texture_import(const import_image *image, const char *path, const texture_settings *settings,
                    import_result *result)
{
    texture_chain chain = { 0 };
    if (image->width == 0) {
        image_bytes bytes = { .bytes = image->bytes, .size = image->size, .name = path };
        if (image->size >= 4 && memcmp(image->bytes, "DDS ", 4) == 0) {
            return dds_import(image, path, settings, result);
        }
        return image_load(&bytes, &chain, result) && chain_finish(&chain, image, settings, result);
    }
    uint64_t size = (uint64_t)image->width * image->height * 4;
    chain = (texture_chain){ .levels[0] = { .width = image->width, .height = image->height }, .level_count = 1 };
    if (image->height == 0 || image->width > TEXTURE_EDGE_MAX || image->height > TEXTURE_EDGE_MAX ||
        size > TEXELS_MAX * 4 || size != image->size || (chain.levels[0].pixels = malloc(size)) == NULL) {
        import_add_message(result, IMPORT_ERROR, "%s: %u x %u texels in %llu bytes cannot be taken", image->name,
                           image->width, image->height, (unsigned long long)image->size);
        return false;
    }
    memcpy(chain.levels[0].pixels, image->bytes, size);
    return chain_finish(&chain, image, settings, result);
}
