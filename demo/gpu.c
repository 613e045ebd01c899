/* gpu.c - formats, stand-in textures, and the life of the module. gpu_textures.c and gpu_meshes.c fill and free. */
#include "gpu.h"
#include "gpu_inner.h"
#include "bc.h"

#include <stdlib.h>
#include <string.h>

static GLuint standin_create(uint32_t edge, const uint8_t *rgba, bool srgb, GLint filter)
{
    GLuint name = 0;
    glGenTextures(1, &name);
    glBindTexture(GL_TEXTURE_2D, name);
    glTexImage2D(GL_TEXTURE_2D, 0, srgb ? GL_SRGB8_ALPHA8 : GL_RGBA8, (GLsizei)edge, (GLsizei)edge, 0, GL_RGBA,
                 GL_UNSIGNED_BYTE, rgba);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAX_LEVEL, 0);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, filter);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, filter);
    return name;
}

/* Magenta and grey with an exclamation mark: nobody takes it for content. */
static GLuint checker_create(void)
{
    static const char *const mark[16] = { "................", "................", ".......11.......",
                                          ".......11.......", ".......11.......", ".......11.......",
                                          ".......11.......", ".......11.......", ".......11.......",
                                          "................", ".......11.......", ".......11.......",
                                          "................", "................", "................",
                                          "................" };
    uint8_t rgba[16 * 16 * 4];
    for (uint32_t y = 0; y < 16; ++y) {
        for (uint32_t x = 0; x < 16; ++x) {
            bool odd = ((x / 4) ^ (y / 4)) & 1;
            const uint8_t colors[3][4] = { { 200, 30, 170, 255 }, { 70, 70, 74, 255 }, { 255, 255, 255, 255 } };
            memcpy(rgba + (y * 16 + x) * 4, colors[mark[y][x] == '1' ? 2 : odd], 4);
        }
    }
    return standin_create(16, rgba, true, GL_NEAREST);
}

bool gpu_create(const catalog *c, bool software, gpu *g)
{
    *g = (gpu){ .c = c };
    g->textures = calloc(c->texture_count + 1u, sizeof *g->textures);
    g->meshes = calloc(c->mesh_count + 1u, sizeof *g->meshes);
    g->scratch_size = 1u << 20;
    g->scratch = malloc(g->scratch_size);
    if (g->textures == NULL || g->meshes == NULL || g->scratch == NULL) {
        gpu_destroy(g);
        return false;
    }
    g->has_copy_image = epoxy_gl_version() >= 43 || epoxy_has_gl_extension("GL_ARB_copy_image");
    g->has_storage = epoxy_gl_version() >= 42 || epoxy_has_gl_extension("GL_ARB_texture_storage");
    g->anisotropy = 1;
    if (!software && epoxy_has_gl_extension("GL_EXT_texture_filter_anisotropic")) {
        glGetFloatv(GL_MAX_TEXTURE_MAX_ANISOTROPY_EXT, &g->anisotropy);
        g->anisotropy = g->anisotropy > 8 ? 8 : g->anisotropy;
    }
    glGetIntegerv(GL_MAX_TEXTURE_SIZE, &g->texture_size_max);
    glPixelStorei(GL_UNPACK_ALIGNMENT, 1);
    glPixelStorei(GL_PACK_ALIGNMENT, 1);
    g->white = standin_create(1, (const uint8_t[]){ 255, 255, 255, 255 }, false, GL_NEAREST);
    g->flat_normal = standin_create(1, (const uint8_t[]){ 128, 128, 255, 255 }, false, GL_NEAREST);
    g->paper = standin_create(1, (const uint8_t[]){ 168, 160, 148, 255 }, true, GL_NEAREST);
    g->checker = checker_create();
    return true;
}

void gpu_destroy(gpu *g)
{
    if (g->c != NULL && g->textures != NULL && g->meshes != NULL) {
        for (uint32_t i = 0; i < g->c->texture_count; ++i) {
            gpu_texture_drop(g, i, UINT32_MAX);
        }
        for (uint32_t i = 0; i < g->c->mesh_count; ++i) {
            gpu_mesh_drop(g, i, UINT32_MAX);
        }
    }
    GLuint standins[] = { g->white, g->flat_normal, g->checker, g->paper };
    if (g->white != 0) {
        glDeleteTextures(4, standins);
    }
    free(g->textures);
    free(g->meshes);
    free(g->scratch);
    *g = (gpu){ 0 };
}

static bool has_s3tc(void)
{
    return epoxy_has_gl_extension("GL_EXT_texture_compression_s3tc") && epoxy_has_gl_extension("GL_EXT_texture_sRGB");
}

static bool has_bptc(void)
{
    return epoxy_gl_version() >= 42 || epoxy_has_gl_extension("GL_ARB_texture_compression_bptc");
}

typedef struct format_row {
    leat_format format;
    GLenum internal, internal_srgb, upload_format, upload_type;
    enum { NEEDS_NOTHING, NEEDS_S3TC, NEEDS_BPTC } needs;
} format_row;

static const format_row format_rows[] = {
    { LEAT_FORMAT_RGBA8_UNORM, GL_RGBA8, GL_SRGB8_ALPHA8, GL_RGBA, GL_UNSIGNED_BYTE, NEEDS_NOTHING },
    { LEAT_FORMAT_RGBA8_SRGB, GL_SRGB8_ALPHA8, GL_SRGB8_ALPHA8, GL_RGBA, GL_UNSIGNED_BYTE, NEEDS_NOTHING },
    { LEAT_FORMAT_R8_UNORM, GL_R8, GL_R8, GL_RED, GL_UNSIGNED_BYTE, NEEDS_NOTHING },
    { LEAT_FORMAT_RG8_UNORM, GL_RG8, GL_RG8, GL_RG, GL_UNSIGNED_BYTE, NEEDS_NOTHING },
    { LEAT_FORMAT_RGBA16_FLOAT, GL_RGBA16F, GL_RGBA16F, GL_RGBA, GL_HALF_FLOAT, NEEDS_NOTHING },
    { LEAT_FORMAT_BC1_UNORM, GL_COMPRESSED_RGBA_S3TC_DXT1_EXT, GL_COMPRESSED_SRGB_ALPHA_S3TC_DXT1_EXT, 0, 0,
      NEEDS_S3TC },
    { LEAT_FORMAT_BC1_SRGB, GL_COMPRESSED_SRGB_ALPHA_S3TC_DXT1_EXT, GL_COMPRESSED_SRGB_ALPHA_S3TC_DXT1_EXT, 0, 0,
      NEEDS_S3TC },
    { LEAT_FORMAT_BC2_UNORM, GL_COMPRESSED_RGBA_S3TC_DXT3_EXT, GL_COMPRESSED_SRGB_ALPHA_S3TC_DXT3_EXT, 0, 0,
      NEEDS_S3TC },
    { LEAT_FORMAT_BC2_SRGB, GL_COMPRESSED_SRGB_ALPHA_S3TC_DXT3_EXT, GL_COMPRESSED_SRGB_ALPHA_S3TC_DXT3_EXT, 0, 0,
      NEEDS_S3TC },
    { LEAT_FORMAT_BC3_UNORM, GL_COMPRESSED_RGBA_S3TC_DXT5_EXT, GL_COMPRESSED_SRGB_ALPHA_S3TC_DXT5_EXT, 0, 0,
      NEEDS_S3TC },
    { LEAT_FORMAT_BC3_SRGB, GL_COMPRESSED_SRGB_ALPHA_S3TC_DXT5_EXT, GL_COMPRESSED_SRGB_ALPHA_S3TC_DXT5_EXT, 0, 0,
      NEEDS_S3TC },
    { LEAT_FORMAT_BC4_UNORM, GL_COMPRESSED_RED_RGTC1, GL_COMPRESSED_RED_RGTC1, 0, 0, NEEDS_NOTHING },
    { LEAT_FORMAT_BC4_SNORM, GL_COMPRESSED_SIGNED_RED_RGTC1, GL_COMPRESSED_SIGNED_RED_RGTC1, 0, 0, NEEDS_NOTHING },
    { LEAT_FORMAT_BC5_UNORM, GL_COMPRESSED_RG_RGTC2, GL_COMPRESSED_RG_RGTC2, 0, 0, NEEDS_NOTHING },
    { LEAT_FORMAT_BC5_SNORM, GL_COMPRESSED_SIGNED_RG_RGTC2, GL_COMPRESSED_SIGNED_RG_RGTC2, 0, 0, NEEDS_NOTHING },
    { LEAT_FORMAT_BC6H_UFLOAT, GL_COMPRESSED_RGB_BPTC_UNSIGNED_FLOAT_ARB, GL_COMPRESSED_RGB_BPTC_UNSIGNED_FLOAT_ARB, 0,
      0, NEEDS_BPTC },
    { LEAT_FORMAT_BC6H_SFLOAT, GL_COMPRESSED_RGB_BPTC_SIGNED_FLOAT_ARB, GL_COMPRESSED_RGB_BPTC_SIGNED_FLOAT_ARB, 0, 0,
      NEEDS_BPTC },
    { LEAT_FORMAT_BC7_UNORM, GL_COMPRESSED_RGBA_BPTC_UNORM_ARB, GL_COMPRESSED_SRGB_ALPHA_BPTC_UNORM_ARB, 0, 0,
      NEEDS_BPTC },
    { LEAT_FORMAT_BC7_SRGB, GL_COMPRESSED_SRGB_ALPHA_BPTC_UNORM_ARB, GL_COMPRESSED_SRGB_ALPHA_BPTC_UNORM_ARB, 0, 0,
      NEEDS_BPTC },
};

gpu_format gpu_format_of(const gpu *g, const catalog_texture *texture)
{
    (void)g;
    for (size_t i = 0; i < sizeof format_rows / sizeof *format_rows; ++i) {
        const format_row *row = &format_rows[i];
        if (row->format != texture->info.format) {
            continue;
        }
        gpu_format f = { row->internal,
                         row->internal_srgb,
                         row->upload_format,
                         row->upload_type,
                         leat_format_block_size(row->format),
                         leat_format_block_edge(row->format),
                         true,
                         false };
        bool missing = (row->needs == NEEDS_S3TC && !has_s3tc()) || (row->needs == NEEDS_BPTC && !has_bptc());
        if (missing && bc_can_decode(row->format)) {
            bool srgb = row->internal == row->internal_srgb;
            f = (gpu_format){
                srgb ? GL_SRGB8_ALPHA8 : GL_RGBA8, GL_SRGB8_ALPHA8, GL_RGBA, GL_UNSIGNED_BYTE, 4, 1, true, true
            };
        } else if (missing) {
            f.supported = false;
        }
        f.internal = texture->is_color ? f.internal_srgb : f.internal;
        return f;
    }
    return (gpu_format){ .block_size = 4, .block_edge = 1 };
}

uint64_t gpu_mip_bytes(const gpu *g, const catalog_texture *texture, uint32_t mip)
{
    gpu_format f = gpu_format_of(g, texture);
    uint64_t width = texture->info.width >> mip, height = texture->info.height >> mip;
    width = width > 0 ? width : 1;
    height = height > 0 ? height : 1;
    return (width + f.block_edge - 1) / f.block_edge * ((height + f.block_edge - 1) / f.block_edge) * f.block_size;
}

bool gpu_upload_step(gpu *g, gpu_upload *u, uint64_t *bytes_left)
{
    return u->is_mesh ? gpu_mesh_upload(g, u, bytes_left) : gpu_texture_upload(g, u, bytes_left);
}
