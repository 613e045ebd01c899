/* gpu_meshes.c - vertex and index buffers that grow by whole LODs: a finer LOD appends to what the coarser ones use. */
#include "gpu.h"
#include "gpu_inner.h"

#include <string.h>

#define APPEAR_PER_SECOND 3.0f

typedef struct mesh_extent {
    uint64_t vertex_bytes, index_bytes;
} mesh_extent;

/* Bytes of the buffers that hold LOD `level` and all coarser ones. */
static mesh_extent extent_of(const catalog_mesh *mesh, uint32_t level)
{
    if (level >= mesh->info.lod_count) {
        return (mesh_extent){ 0, 0 };
    }
    const leat_lod_info *lod = &mesh->lods[level];
    return (mesh_extent){ ((uint64_t)lod->vertex_first + lod->vertex_count) * mesh->info.vertex_stride,
                          ((uint64_t)lod->index_first + lod->index_count) * mesh->info.index_size };
}

static GLuint buffer_create(uint64_t size, GLuint from, uint64_t copy_size)
{
    GLuint name = 0;
    glGenBuffers(1, &name);
    glBindBuffer(GL_COPY_WRITE_BUFFER, name);
    glBufferData(GL_COPY_WRITE_BUFFER, (GLsizeiptr)(size > 0 ? size : 4), NULL, GL_STATIC_DRAW);
    if (from != 0 && copy_size > 0) {
        glBindBuffer(GL_COPY_READ_BUFFER, from);
        glCopyBufferSubData(GL_COPY_READ_BUFFER, GL_COPY_WRITE_BUFFER, 0, 0, (GLsizeiptr)copy_size);
    }
    return name;
}

static void array_point(gpu_mesh *m)
{
    if (m->array == 0) {
        glGenVertexArrays(1, &m->array);
    }
    glBindVertexArray(m->array);
    glBindBuffer(GL_ARRAY_BUFFER, m->vertices);
    glBindBuffer(GL_ELEMENT_ARRAY_BUFFER, m->indices);
    const GLsizei stride = sizeof(leat_vertex);
    glVertexAttribPointer(0, 3, GL_FLOAT, GL_FALSE, stride, (const void *)offsetof(leat_vertex, position));
    glVertexAttribPointer(1, 4, GL_SHORT, GL_TRUE, stride, (const void *)offsetof(leat_vertex, normal));
    glVertexAttribPointer(2, 2, GL_FLOAT, GL_FALSE, stride, (const void *)offsetof(leat_vertex, uv));
    glVertexAttribPointer(3, 4, GL_UNSIGNED_BYTE, GL_TRUE, stride, (const void *)offsetof(leat_vertex, color));
    for (GLuint i = 0; i < 4; ++i) {
        glEnableVertexAttribArray(i);
    }
    glBindVertexArray(0);
}

static void upload_end(gpu *g, gpu_upload *u)
{
    gpu_mesh *m = &g->meshes[u->index];
    if (m->vertices != 0) {
        GLuint names[2] = { m->vertices, m->indices };
        glDeleteBuffers(2, names);
    } else {
        m->appear = 0;
    }
    m->vertices = m->pending_vertices;
    m->indices = m->pending_indices;
    m->pending_vertices = m->pending_indices = 0;
    m->level = u->level;
    array_point(m);
}

/* Uploads [from, from + size) of data to a buffer. */
static void range_upload(GLuint buffer, uint64_t to, const uint8_t *data, uint64_t size)
{
    if (size > 0) {
        glBindBuffer(GL_COPY_WRITE_BUFFER, buffer);
        glBufferSubData(GL_COPY_WRITE_BUFFER, (GLintptr)to, (GLsizeiptr)size, data);
    }
}

/* GL does not forgive an index beyond the vertices; a pack may hold one and still match its hashes. */
static bool indices_check(const catalog_mesh *mesh, const leat_lod_info *lod, const uint8_t *indices)
{
    uint64_t limit = (uint64_t)lod->vertex_first + lod->vertex_count;
    uint32_t largest = 0;
    for (uint32_t i = 0; i < lod->index_count; ++i) {
        uint32_t index = 0;
        memcpy(&index, indices + (size_t)i * mesh->info.index_size, mesh->info.index_size);
        largest = index > largest ? index : largest;
    }
    return lod->index_count == 0 || largest < limit;
}

/* The delivery holds what the catalogue says of its LODs. */
static bool upload_check(const catalog_mesh *mesh, const gpu_upload *u)
{
    uint64_t base = mesh->lods[u->level + u->count - 1u].offset;
    for (uint32_t i = 0; i < u->count; ++i) {
        const leat_lod_info *lod = &mesh->lods[u->level + i];
        uint64_t vertex_size = (uint64_t)lod->vertex_count * mesh->info.vertex_stride;
        uint64_t index_size = (uint64_t)lod->index_count * mesh->info.index_size;
        uint64_t offset = lod->offset - base;
        if (offset + vertex_size + index_size > u->size || !indices_check(mesh, lod, u->data + offset + vertex_size)) {
            return false;
        }
    }
    return true;
}

bool gpu_mesh_upload(gpu *g, gpu_upload *u, uint64_t *bytes_left)
{
    const catalog_mesh *mesh = &g->c->meshes[u->index];
    gpu_mesh *m = &g->meshes[u->index];
    if (!u->begun) {
        u->refused = (mesh->info.index_size != 2 && mesh->info.index_size != 4) || !upload_check(mesh, u);
        if (u->refused) {
            return true;
        }
        mesh_extent all = extent_of(mesh, u->level), kept = extent_of(mesh, m->vertices != 0 ? m->level : UINT32_MAX);
        m->pending_vertices = buffer_create(all.vertex_bytes, m->vertices, kept.vertex_bytes);
        m->pending_indices = buffer_create(all.index_bytes, m->indices, kept.index_bytes);
        u->begun = true;
    }
    uint64_t base = mesh->lods[u->level + u->count - 1u].offset;
    while (u->levels_done < u->count) {
        if (*bytes_left == 0) {
            return false;
        }
        /* A LOD goes up whole: meshes are small beside textures. */
        const leat_lod_info *lod = &mesh->lods[u->level + u->count - 1u - u->levels_done];
        uint64_t vertex_size = (uint64_t)lod->vertex_count * mesh->info.vertex_stride;
        uint64_t index_size = (uint64_t)lod->index_count * mesh->info.index_size;
        uint64_t offset = lod->offset - base;
        range_upload(m->pending_vertices, (uint64_t)lod->vertex_first * mesh->info.vertex_stride, u->data + offset,
                     vertex_size);
        range_upload(m->pending_indices, (uint64_t)lod->index_first * mesh->info.index_size,
                     u->data + offset + vertex_size, index_size);
        uint64_t bytes = vertex_size + index_size;
        *bytes_left = bytes < *bytes_left ? *bytes_left - bytes : 0;
        ++u->levels_done;
    }
    upload_end(g, u);
    return true;
}

void gpu_mesh_drop(gpu *g, uint32_t index, uint32_t level)
{
    const catalog_mesh *mesh = &g->c->meshes[index];
    gpu_mesh *m = &g->meshes[index];
    if (level >= mesh->info.lod_count) {
        GLuint names[4] = { m->vertices, m->indices, m->pending_vertices, m->pending_indices };
        glDeleteBuffers(4, names);
        if (m->array != 0) {
            glDeleteVertexArrays(1, &m->array);
        }
        *m = (gpu_mesh){ 0 };
        return;
    }
    if (m->vertices == 0 || level <= m->level) {
        return;
    }
    mesh_extent kept = extent_of(mesh, level);
    GLuint names[2] = { m->vertices, m->indices };
    m->vertices = buffer_create(kept.vertex_bytes, names[0], kept.vertex_bytes);
    m->indices = buffer_create(kept.index_bytes, names[1], kept.index_bytes);
    m->level = (uint8_t)level;
    glDeleteBuffers(2, names);
    array_point(m);
}

void gpu_mesh_fade(gpu *g, uint32_t index, float seconds)
{
    gpu_mesh *m = &g->meshes[index];
    m->appear = m->appear + seconds * APPEAR_PER_SECOND < 1 ? m->appear + seconds * APPEAR_PER_SECOND : 1;
}
