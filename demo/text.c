/* text.c - letters as quads over the distance field of font_data.c. What is not ASCII is shown as '?'. */
#include "text.h"
#include "font.h"

#include <stdlib.h>
#include <string.h>

#define LETTERS_MAX 16384u

bool text_create(text *t)
{
    *t = (text){ 0 };
    uint8_t *texels = malloc(FONT_ATLAS_WIDTH * FONT_ATLAS_HEIGHT);
    uint32_t *indices = malloc(LETTERS_MAX * 6 * sizeof *indices);
    if (texels == NULL || indices == NULL) {
        free(texels);
        free(indices);
        return false;
    }
    for (uint32_t y = 0; y < FONT_ATLAS_HEIGHT; ++y) {
        for (uint32_t x = 0; x < FONT_ATLAS_WIDTH; ++x) {
            char c = font_texels[y][x];
            c = c == 'c' ? '\\' : c == 'd' ? '?' : c;
            texels[y * FONT_ATLAS_WIDTH + x] = (uint8_t)((c - '#') * 4 + 2);
        }
    }
    glGenTextures(1, &t->atlas);
    glBindTexture(GL_TEXTURE_2D, t->atlas);
    glTexImage2D(GL_TEXTURE_2D, 0, GL_R8, FONT_ATLAS_WIDTH, FONT_ATLAS_HEIGHT, 0, GL_RED, GL_UNSIGNED_BYTE, texels);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAX_LEVEL, 0);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_LINEAR);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, GL_LINEAR);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_S, GL_CLAMP_TO_EDGE);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_T, GL_CLAMP_TO_EDGE);
    static const uint32_t order[6] = { 0, 2, 1, 1, 2, 3 };
    for (uint32_t i = 0; i < LETTERS_MAX * 6; ++i) {
        indices[i] = i / 6 * 4 + order[i % 6];
    }
    glGenVertexArrays(1, &t->array);
    glGenBuffers(1, &t->buffer);
    glGenBuffers(1, &t->indices);
    glBindVertexArray(t->array);
    glBindBuffer(GL_ARRAY_BUFFER, t->buffer);
    glBindBuffer(GL_ELEMENT_ARRAY_BUFFER, t->indices);
    glBufferData(GL_ELEMENT_ARRAY_BUFFER, LETTERS_MAX * 6 * sizeof *indices, indices, GL_STATIC_DRAW);
    const GLsizei stride = sizeof(text_vertex);
    glVertexAttribPointer(0, 3, GL_FLOAT, GL_FALSE, stride, (const void *)offsetof(text_vertex, position));
    glVertexAttribPointer(1, 2, GL_FLOAT, GL_FALSE, stride, (const void *)offsetof(text_vertex, uv));
    glVertexAttribPointer(2, 4, GL_UNSIGNED_BYTE, GL_TRUE, stride, (const void *)offsetof(text_vertex, tint));
    for (GLuint i = 0; i < 3; ++i) {
        glEnableVertexAttribArray(i);
    }
    glBindVertexArray(0);
    free(texels);
    free(indices);
    return true;
}

void text_destroy(text *t)
{
    if (t->array != 0) {
        glDeleteTextures(1, &t->atlas);
        glDeleteVertexArrays(1, &t->array);
        GLuint buffers[2] = { t->buffer, t->indices };
        glDeleteBuffers(2, buffers);
    }
    free(t->screen.vertices);
    free(t->world.vertices);
    *t = (text){ 0 };
}

static const font_glyph *glyph_of(char c)
{
    return &font_glyphs[c >= ' ' && c <= '~' ? c - ' ' : '?' - ' '];
}

/* UTF-8 continuation bytes take no room: one '?' a character. */
static bool is_continuation(char c)
{
    return ((uint8_t)c & 0xc0) == 0x80;
}

float text_width(const char *string, float size)
{
    float width = 0;
    for (; *string != '\0'; ++string) {
        width += is_continuation(*string) ? 0 : glyph_of(*string)->advance;
    }
    return width * size / FONT_LINE_HEIGHT;
}

static text_vertex *quad_add(text_batch *batch, const uint8_t tint[4])
{
    if (batch->count == LETTERS_MAX) {
        return NULL;
    }
    if (batch->count == batch->capacity) {
        uint32_t capacity = batch->capacity == 0 ? 512 : batch->capacity * 2;
        text_vertex *grown = realloc(batch->vertices, (size_t)capacity * 4 * sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        batch->vertices = grown;
        batch->capacity = capacity;
    }
    text_vertex *quad = &batch->vertices[(size_t)batch->count++ * 4];
    for (int i = 0; i < 4; ++i) {
        memcpy(quad[i].tint, tint, 4);
    }
    return quad;
}

/* One letter with its pen at `pen`, along x, lines going along y. */
static void letter_add(text_batch *batch, const font_glyph *glyph, vec3 pen, vec3 x, vec3 y, float scale,
                       const uint8_t tint[4])
{
    if (glyph->width == 0) {
        return;
    }
    text_vertex *quad = quad_add(batch, tint);
    for (int i = 0; quad != NULL && i < 4; ++i) {
        float u = (float)(i & 1 ? glyph->width : 0), v = (float)(i & 2 ? glyph->height : 0);
        vec3 p = v3_add(pen, v3_scale(x, ((float)glyph->offset_x + u) * scale));
        p = v3_add(p, v3_scale(y, ((float)glyph->offset_y + v) * scale));
        quad[i].position[0] = p.x;
        quad[i].position[1] = p.y;
        quad[i].position[2] = p.z;
        quad[i].uv[0] = ((float)glyph->x + u) / FONT_ATLAS_WIDTH;
        quad[i].uv[1] = ((float)glyph->y + v) / FONT_ATLAS_HEIGHT;
    }
}

void text_screen(text *t, float x, float y, float size, const uint8_t tint[4], const char *string)
{
    float scale = size / FONT_LINE_HEIGHT;
    vec3 pen = v3(x, y, 0);
    for (; *string != '\0'; ++string) {
        if (is_continuation(*string)) {
            continue;
        }
        const font_glyph *glyph = glyph_of(*string);
        letter_add(&t->screen, glyph, pen, v3(1, 0, 0), v3(0, 1, 0), scale, tint);
        pen.x += glyph->advance * scale;
    }
}

void text_box(text *t, float x, float y, float width, float height, const uint8_t tint[4])
{
    text_vertex *quad = quad_add(&t->screen, tint);
    for (int i = 0; quad != NULL && i < 4; ++i) {
        quad[i].position[0] = x + (i & 1 ? width : 0);
        quad[i].position[1] = y + (i & 2 ? height : 0);
        quad[i].position[2] = 0;
        quad[i].uv[0] = quad[i].uv[1] = -1;
    }
}

/* The string, or one in `shortened` that has lost its middle, so that it is about width_max wide. */
#define SHORTENED_SIZE 512u
static const char *shorten(const char *string, float size, float width_max, char shortened[SHORTENED_SIZE])
{
    size_t length = strlen(string);
    float width = text_width(string, size);
    if (width <= width_max || length <= 8) {
        return string;
    }
    size_t keep = (size_t)((float)length * f_max(width_max, 0) / width);
    keep = keep < 8 ? 8 : keep > SHORTENED_SIZE - 1 ? SHORTENED_SIZE - 1 : keep;
    size_t head = (keep - 2) / 2, tail = keep - 2 - head;
    memcpy(shortened, string, head);
    memcpy(shortened + head, "..", 2);
    memcpy(shortened + head + 2, string + length - tail, tail);
    shortened[keep] = '\0';
    return shortened;
}

void text_screen_within(text *t, float x, float y, float size, float width_max, const uint8_t tint[4],
                        const char *string)
{
    char shortened[SHORTENED_SIZE];
    text_screen(t, x, y, size, tint, shorten(string, size, width_max, shortened));
}

void text_world(text *t, vec3 center, vec3 right, vec3 up, float size, float width_max, const uint8_t tint[4],
                const char *string)
{
    char shortened[SHORTENED_SIZE];
    string = shorten(string, size, width_max, shortened);
    float width = text_width(string, size);
    float scale = size / FONT_LINE_HEIGHT;
    vec3 down = v3_scale(up, -1);
    vec3 pen = v3_add(v3_sub(center, v3_scale(right, width * 0.5f)), v3_scale(up, size * 0.5f));
    for (; *string != '\0'; ++string) {
        if (is_continuation(*string)) {
            continue;
        }
        const font_glyph *glyph = glyph_of(*string);
        letter_add(&t->world, glyph, pen, right, down, scale, tint);
        pen = v3_add(pen, v3_scale(right, glyph->advance * scale));
    }
}

void text_flush(text *t, text_batch *batch)
{
    if (batch->count > 0) {
        glBindTexture(GL_TEXTURE_2D, t->atlas);
        glBindVertexArray(t->array);
        glBindBuffer(GL_ARRAY_BUFFER, t->buffer);
        glBufferData(GL_ARRAY_BUFFER, (GLsizeiptr)(batch->count * 4 * sizeof(text_vertex)), batch->vertices,
                     GL_STREAM_DRAW);
        glDrawElements(GL_TRIANGLES, (GLsizei)(batch->count * 6), GL_UNSIGNED_INT, NULL);
        glBindVertexArray(0);
    }
    batch->count = 0;
}
