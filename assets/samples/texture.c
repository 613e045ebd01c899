// Evaluates a recipe at each texel, derives the normal map from the relief, writes the images. Memory: 12 bytes a
// texel.
//
// Normal maps are in the convention of glTF: red to the right, green up. Roughness is a grey image; for metals it has
// three channels with roughness in red and green and metalness in blue, which glTF's metallicRoughnessTexture reads.
#include "texture.h"
#include "noise.h"
#include "png.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static uint8_t to_byte(float value)
{
    return (uint8_t)(clampf(value, 0, 1) * 255.0f + 0.5f);
}

void surface_color(const struct surface *surface, int index, float color[3])
{
    uint32_t packed = surface->colors[index];
    color[0] = (float)(packed >> 16 & 0xff) / 255.0f;
    color[1] = (float)(packed >> 8 & 0xff) / 255.0f;
    color[2] = (float)(packed & 0xff) / 255.0f;
}

void surface_mix(const struct surface *surface, int a, int b, float t, float color[3])
{
    surface_color(surface, a, color);
    surface_blend(surface, b, t, color);
}

void surface_blend(const struct surface *surface, int index, float t, float color[3])
{
    float other[3];
    surface_color(surface, index, other);
    for (int i = 0; i < 3; i++) {
        color[i] = mixf(color[i], other[i], t);
    }
}

void color_scale(float color[3], float factor)
{
    for (int i = 0; i < 3; i++) {
        color[i] *= factor;
    }
}

struct images {
    uint8_t *albedo, *rough, *normal;
    float *height;
    uint32_t albedo_channels, rough_channels;
};

static void images_evaluate(const struct surface *surface, struct images *images)
{
    uint32_t size = surface->size;
    for (uint32_t y = 0; y < size; y++) {
        for (uint32_t x = 0; x < size; x++) {
            struct texel texel = { .alpha = 1 };
            size_t i = (size_t)y * size + x;
            surface->recipe(surface, ((float)x + 0.5f) / (float)size, ((float)y + 0.5f) / (float)size, &texel);
            uint8_t *albedo = images->albedo + i * images->albedo_channels,
                    *rough = images->rough + i * images->rough_channels;
            for (int c = 0; c < 3; c++) {
                albedo[c] = to_byte(texel.color[c]);
            }
            if (surface->alpha) {
                albedo[3] = to_byte(texel.alpha);
            }
            rough[0] = to_byte(texel.rough);
            if (surface->metal) {
                rough[1] = rough[0];
                rough[2] = to_byte(texel.metal);
            }
            images->height[i] = texel.height;
        }
    }
}

static void images_derive_normals(const struct surface *surface, struct images *images)
{
    uint32_t size = surface->size;
    float strength = 0.5f * surface->relief * (float)size;
    for (uint32_t y = 0; y < size; y++) {
        const float *above = images->height + (size_t)((y + size - 1) % size) * size;
        const float *here = images->height + (size_t)y * size;
        const float *below = images->height + (size_t)((y + 1) % size) * size;
        for (uint32_t x = 0; x < size; x++) {
            float slope_x = (here[(x + 1) % size] - here[(x + size - 1) % size]) * strength;
            float slope_y = (above[x] - below[x]) * strength; // rows run down, green points up
            float length = sqrtf(slope_x * slope_x + slope_y * slope_y + 1);
            uint8_t *normal = images->normal + ((size_t)y * size + x) * 3;
            normal[0] = to_byte(0.5f - 0.5f * slope_x / length);
            normal[1] = to_byte(0.5f - 0.5f * slope_y / length);
            normal[2] = to_byte(0.5f + 0.5f / length);
        }
    }
}

static bool image_write(const char *folder, const struct surface *surface, const char *role, const uint8_t *pixels,
                        uint32_t channels)
{
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s/%s_%s.png", folder, surface->folder, surface->name, role);
    if (length < 0 || (size_t)length >= sizeof path) {
        errno = ENAMETOOLONG;
        return false;
    }
    return png_write(path, pixels, surface->size, surface->size, channels);
}

bool texture_write(const char *folder, const struct surface *surface, size_t *raw_size)
{
    size_t texels = (size_t)surface->size * surface->size;
    struct images images = { .albedo_channels = surface->alpha ? 4 : 3, .rough_channels = surface->metal ? 3 : 1 };
    images.albedo = malloc(texels * images.albedo_channels);
    images.rough = malloc(texels * images.rough_channels);
    images.normal = malloc(texels * 3);
    images.height = malloc(texels * sizeof *images.height);
    bool good = images.albedo != NULL && images.rough != NULL && images.normal != NULL && images.height != NULL;
    if (good) {
        images_evaluate(surface, &images);
        images_derive_normals(surface, &images);
        good = image_write(folder, surface, "albedo", images.albedo, images.albedo_channels) &&
               image_write(folder, surface, "normal", images.normal, 3) &&
               image_write(folder, surface, "roughness", images.rough, images.rough_channels);
    } else {
        errno = ENOMEM;
    }
    for (size_t edge = surface->size; good && edge > 0; edge /= 2) {
        *raw_size += 3 * edge * edge * 4;
    }
    free(images.height);
    free(images.normal);
    free(images.rough);
    free(images.albedo);
    return good;
}
