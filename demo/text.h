/* text.h - batches of letters and plain boxes, on the screen in pixels or in the world. One draw call a batch. */
#ifndef VIEW_TEXT_H
#define VIEW_TEXT_H

#include "math3d.h"

#include <epoxy/gl.h>
#include <stdint.h>

typedef struct text_vertex {
    float position[3];
    float uv[2];
    uint8_t tint[4]; /* square roots of linear, and alpha */
} text_vertex;

typedef struct text_batch {
    text_vertex *vertices; /* four a letter */
    uint32_t count, capacity;
} text_batch;

typedef struct text {
    GLuint atlas, array, buffer, indices;
    uint32_t index_letters;
    text_batch screen, world;
} text;

bool text_create(text *t);
void text_destroy(text *t);

float text_width(const char *string, float size);
/* (x, y) is the top left of the line; size is its height in pixels. */
void text_screen(text *t, float x, float y, float size, const uint8_t tint[4], const char *string);
/* The same, shortened in the middle to width_max. */
void text_screen_within(text *t, float x, float y, float size, float width_max, const uint8_t tint[4],
                        const char *string);
void text_box(text *t, float x, float y, float width, float height, const uint8_t tint[4]);
/* A centred line in the world: `right` and `up` are unit vectors, size is metres. Shortened in the middle to width_max.
 */
void text_world(text *t, vec3 center, vec3 right, vec3 up, float size, float width_max, const uint8_t tint[4],
                const char *string);
/* Draws and empties a batch; the text program is bound already. */
void text_flush(text *t, text_batch *batch);

#endif
