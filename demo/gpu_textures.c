/* gpu_textures.c - texture objects that grow and shrink by whole mips.
 *
 * A delivery is uploaded in bands of block rows, as many as the frame's byte budget allows. */
#include "gpu.h"
#include "gpu_inner.h"
#include "bc.h"

#include <stdlib.h>

#define FADE_MIPS_PER_SECOND 5.0f
#define APPEAR_PER_SECOND 4.0f

static uint32_t mip_side(uint32_t side, uint32_t mip)
{
    return side >> mip > 0 ? side >> mip : 1;
}

/* An object for mips [level, mip_count) of a texture, without texels yet. Left bound. */
static GLuint object_create(const gpu *g, const catalog_texture *texture, const gpu_format *f, uint32_t level)
{
    const leat_texture_info *info = &texture->info;
    uint32_t count = info->mip_count - level;
    GLuint name = 0;
    glGenTextures(1, &name);
    glBindTexture(GL_TEXTURE_2D, name);
    if (g->has_storage) {
        glTexStorage2D(GL_TEXTURE_2D, (GLsizei)count, f->internal, (GLsizei)mip_side(info->width, level),
                       (GLsizei)mip_side(info->height, level));
    } else {
        for (uint32_t mip = level; mip < info->mip_count; ++mip) {
            GLsizei width = (GLsizei)mip_side(info->width, mip), height = (GLsizei)mip_side(info->height, mip);
            if (f->format != 0) {
                glTexImage2D(GL_TEXTURE_2D, (GLint)(mip - level), (GLint)f->internal, width, height, 0, f->format,
                             f->type, NULL);
            } else {
                glCompressedTexImage2D(GL_TEXTURE_2D, (GLint)(mip - level), f->internal, width, height, 0,
                                       (GLsizei)gpu_mip_bytes(g, texture, mip), NULL);
            }
        }
    }
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAX_LEVEL, (GLint)count - 1);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_LINEAR_MIPMAP_LINEAR);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, GL_LINEAR);
    if (g->anisotropy > 1) {
        glTexParameterf(GL_TEXTURE_2D, GL_TEXTURE_MAX_ANISOTROPY_EXT, g->anisotropy);
    }
    if (leat_format_block_size(info->format) > 0 &&
        (info->format == LEAT_FORMAT_R8_UNORM || info->format == LEAT_FORMAT_BC4_UNORM ||
         info->format == LEAT_FORMAT_BC4_SNORM)) {
        GLint grey[4] = { GL_RED, GL_RED, GL_RED, GL_ONE };
        glTexParameteriv(GL_TEXTURE_2D, GL_TEXTURE_SWIZZLE_RGBA, grey);
    }
    return name;
}

/* The slow way to copy a mip, through the CPU, for drivers without ARB_copy_image. */
static void mip_copy_slow(gpu *g, const catalog_texture *texture, const gpu_format *f, GLuint from, uint32_t from_mip,
                          GLuint to, uint32_t to_mip, uint32_t mip)
{
    uint64_t size = gpu_mip_bytes(g, texture, mip);
    void *texels = malloc(size);
    if (texels == NULL) {
        return;
    }
    GLsizei width = (GLsizei)mip_side(texture->info.width, mip), height = (GLsizei)mip_side(texture->info.height, mip);
    glBindTexture(GL_TEXTURE_2D, from);
    if (f->format != 0) {
        glGetTexImage(GL_TEXTURE_2D, (GLint)from_mip, f->format, f->type, texels);
        glBindTexture(GL_TEXTURE_2D, to);
        glTexSubImage2D(GL_TEXTURE_2D, (GLint)to_mip, 0, 0, width, height, f->format, f->type, texels);
    } else {
        glGetCompressedTexImage(GL_TEXTURE_2D, (GLint)from_mip, texels);
        glBindTexture(GL_TEXTURE_2D, to);
        glCompressedTexSubImage2D(GL_TEXTURE_2D, (GLint)to_mip, 0, 0, width, height, f->internal, (GLsizei)size,
                                  texels);
    }
    free(texels);
}

/* Copies mips [first, mip_count) between the objects of a texture, which begin at from_level and to_level. */
static void mips_copy(gpu *g, const catalog_texture *texture, const gpu_format *f, GLuint from, uint32_t from_level,
                      GLuint to, uint32_t to_level, uint32_t first)
{
    for (uint32_t mip = first; mip < texture->info.mip_count; ++mip) {
        uint32_t width = mip_side(texture->info.width, mip), height = mip_side(texture->info.height, mip);
        if (g->has_copy_image) {
            glCopyImageSubData(from, GL_TEXTURE_2D, (GLint)(mip - from_level), 0, 0, 0, to, GL_TEXTURE_2D,
                               (GLint)(mip - to_level), 0, 0, 0, (GLsizei)width, (GLsizei)height, 1);
        } else {
            mip_copy_slow(g, texture, f, from, mip - from_level, to, mip - to_level, mip);
        }
    }
}

/* Uploads rows of blocks [row, row + rows) of a mip. data is where the mip's layer 0 begins. */
static void band_upload(gpu *g, const catalog_texture *texture, const gpu_format *f, uint32_t to_mip,
                        const leat_mip_info *mip, const uint8_t *data, uint32_t row, uint32_t rows)
{
    uint32_t edge = leat_format_block_edge(texture->info.format);
    uint32_t y = row * edge, height = rows * edge < mip->height - y ? rows * edge : mip->height - y;
    const uint8_t *band = data + (uint64_t)row * mip->row_size;
    if (f->decoded) {
        for (uint32_t i = 0; i < rows; ++i) {
            uint32_t part = mip->height - (y + i * 4) < 4 ? mip->height - (y + i * 4) : 4;
            bc_decode_row(texture->info.format, band + (uint64_t)i * mip->row_size, mip->width, part, g->scratch);
            glTexSubImage2D(GL_TEXTURE_2D, (GLint)to_mip, 0, (GLint)(y + i * 4), (GLsizei)mip->width, (GLsizei)part,
                            GL_RGBA, GL_UNSIGNED_BYTE, g->scratch);
        }
    } else if (f->format != 0) {
        glTexSubImage2D(GL_TEXTURE_2D, (GLint)to_mip, 0, (GLint)y, (GLsizei)mip->width, (GLsizei)height, f->format,
                        f->type, band);
    } else {
        glCompressedTexSubImage2D(GL_TEXTURE_2D, (GLint)to_mip, 0, (GLint)y, (GLsizei)mip->width, (GLsizei)height,
                                  f->internal, (GLsizei)(rows * mip->row_size), band);
    }
}

static void upload_begin(gpu *g, gpu_upload *u, const gpu_format *f)
{
    const catalog_texture *texture = &g->c->textures[u->index];
    gpu_texture *t = &g->textures[u->index];
    t->pending = object_create(g, texture, f, u->level);
    if (t->name != 0) {
        mips_copy(g, texture, f, t->name, t->level, t->pending, u->level, t->level);
    }
    u->begun = true;
}

void gpu_texture_drop_former(gpu *g, uint32_t index)
{
    gpu_texture *t = &g->textures[index];
    glDeleteTextures(1, &t->former);
    t->former = 0;
}

static void upload_end(gpu *g, gpu_upload *u)
{
    gpu_texture *t = &g->textures[u->index];
    if (t->name != 0) {
        glDeleteTextures(1, &t->name);
        t->fade += (float)(t->level - u->level);
    } else {
        t->fade = 0;
        t->appear = t->former != 0; /* it replaces a picture, not an empty frame */
        gpu_texture_drop_former(g, u->index);
    }
    t->name = t->pending;
    t->pending = 0;
    t->level = u->level;
    t->fade_set = -1;
}

bool gpu_texture_upload(gpu *g, gpu_upload *u, uint64_t *bytes_left)
{
    const catalog_texture *texture = &g->c->textures[u->index];
    gpu_format f = gpu_format_of(g, texture);
    if (!u->begun) {
        upload_begin(g, u, &f);
    }
    uint32_t edge = leat_format_block_edge(texture->info.format);
    uint64_t base = 0; /* where the delivery begins in the asset: its coarsest mip */
    leat_mip_info coarsest;
    if (leat_texture_mip(&texture->info, u->level + u->count - 1u, &coarsest)) {
        base = coarsest.offset;
    }
    glBindTexture(GL_TEXTURE_2D, g->textures[u->index].pending);
    while (u->levels_done < u->count) {
        uint32_t mip_index = u->level + u->count - 1u - u->levels_done;
        leat_mip_info mip;
        if (!leat_texture_mip(&texture->info, mip_index, &mip) || mip.row_size == 0 ||
            mip.offset - base + mip.size > u->size) {
            break; /* the library checked this; a mip that is not there stays black */
        }
        uint32_t row_count = (mip.height + edge - 1) / edge;
        while (u->row < row_count) {
            if (*bytes_left == 0) {
                return false;
            }
            uint64_t rows = *bytes_left / mip.row_size;
            rows = rows < 1 ? 1 : rows > row_count - u->row ? row_count - u->row : rows;
            band_upload(g, texture, &f, mip_index - u->level, &mip, u->data + (mip.offset - base), u->row,
                        (uint32_t)rows);
            u->row += (uint32_t)rows;
            uint64_t bytes = rows * mip.row_size;
            *bytes_left = bytes < *bytes_left ? *bytes_left - bytes : 0;
        }
        u->row = 0;
        ++u->levels_done;
    }
    upload_end(g, u);
    return true;
}

void gpu_texture_drop(gpu *g, uint32_t index, uint32_t level)
{
    const catalog_texture *texture = &g->c->textures[index];
    gpu_texture *t = &g->textures[index];
    if (level >= texture->info.mip_count) {
        GLuint names[3] = { t->name, t->pending, t->former };
        glDeleteTextures(3, names);
        *t = (gpu_texture){ 0 };
        return;
    }
    if (t->name == 0 || level <= t->level) {
        return;
    }
    gpu_format f = gpu_format_of(g, texture);
    GLuint smaller = object_create(g, texture, &f, level);
    mips_copy(g, texture, &f, t->name, t->level, smaller, level, level);
    glDeleteTextures(1, &t->name);
    t->name = smaller;
    t->level = (uint8_t)level;
    t->fade = 0;
    t->fade_set = -1;
}

void gpu_texture_outdate(gpu *g, uint32_t index)
{
    gpu_texture *t = &g->textures[index];
    GLuint shown = gpu_texture_shown(t);
    GLuint names[2] = { t->pending, t->name != 0 ? t->former : 0 };
    glDeleteTextures(2, names);
    *t = (gpu_texture){ .former = shown };
}

void gpu_texture_fade(gpu *g, uint32_t index, float seconds)
{
    gpu_texture *t = &g->textures[index];
    if (t->name == 0) {
        return;
    }
    float fade = t->fade - seconds * FADE_MIPS_PER_SECOND;
    t->fade = fade > 0 ? fade : 0;
    t->appear = t->appear + seconds * APPEAR_PER_SECOND < 1 ? t->appear + seconds * APPEAR_PER_SECOND : 1;
    if (t->fade < t->fade_set || t->fade > t->fade_set) {
        glBindTexture(GL_TEXTURE_2D, t->name);
        glTexParameterf(GL_TEXTURE_2D, GL_TEXTURE_MIN_LOD, t->fade);
        t->fade_set = t->fade;
    }
}
