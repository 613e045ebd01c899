/* mesh_export.c - see mesh_export.h.
 *
 * The raw bytes of a pack are somebody's bytes: indices are checked before they are used or written. */
#include "mesh_export.h"
#include "whole_file.h"

#include <cjson/cJSON.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GLTF_FLOAT 5126
#define GLTF_UNSIGNED_INT 5125
#define GLTF_UNSIGNED_BYTE 5121
#define GLTF_ARRAY_BUFFER 34962
#define GLTF_ELEMENT_ARRAY_BUFFER 34963
#define GLTF_TRIANGLES 4

/* One LOD, with its vertices together and its indices as 32 bits. */
typedef struct flat_mesh {
    leat_vertex *vertices;
    uint32_t vertex_count;
    uint32_t *indices;
    uint32_t index_count;
    const leat_pack_submesh_record *submeshes;
    uint32_t submesh_count;
} flat_mesh;

static void flat_free(flat_mesh *m)
{
    free(m->vertices);
    free(m->indices);
}

static bool flatten(const mesh_export_desc *d, flat_mesh *m, const char **why)
{
    const leat_pack_mesh_metadata *meta = d->metadata;
    const leat_pack_lod_record *lods = (const leat_pack_lod_record *)(const void *)(meta + 1);
    const leat_pack_submesh_record *submeshes =
        (const leat_pack_submesh_record *)(const void *)(lods + meta->lod_count);
    *m = (flat_mesh){ 0 };
    *why = "there is no such LOD";
    if (d->lod >= meta->lod_count) {
        return false;
    }
    const leat_pack_lod_record *wanted = &lods[d->lod];
    *m = (flat_mesh){ .vertex_count = wanted->vertex_first + wanted->vertex_count,
                      .index_count = wanted->index_count,
                      .submeshes = submeshes + (size_t)d->lod * meta->submesh_count,
                      .submesh_count = meta->submesh_count };
    m->vertices = malloc(((size_t)m->vertex_count + 1) * sizeof(*m->vertices));
    m->indices = malloc(((size_t)m->index_count + 1) * sizeof(*m->indices));
    *why = "out of memory";
    if (m->vertices == NULL || m->indices == NULL) {
        flat_free(m);
        return false;
    }
    for (uint32_t i = d->lod; i < meta->lod_count; ++i) {
        memcpy(m->vertices + lods[i].vertex_first, d->raw + lods[i].raw_offset,
               (size_t)lods[i].vertex_count * sizeof(leat_vertex));
    }
    const uint8_t *in = d->raw + wanted->raw_offset + (size_t)wanted->vertex_count * sizeof(leat_vertex);
    for (uint32_t k = 0; k < m->index_count; ++k) {
        uint16_t small;
        if (meta->index_size == 2) {
            memcpy(&small, in + (size_t)k * 2, 2);
            m->indices[k] = small;
        } else {
            memcpy(&m->indices[k], in + (size_t)k * 4, 4);
        }
        if (m->indices[k] >= m->vertex_count) {
            *why = "an index names a vertex that is not there";
            flat_free(m);
            return false;
        }
    }
    return true;
}

static void material_text(const mesh_export_desc *d, uint32_t slot, char *text, size_t size)
{
    const char *name = slot < d->metadata->material_count && d->material_names != NULL ? d->material_names[slot] : NULL;
    if (name != NULL) {
        snprintf(text, size, "%s", name);
    } else {
        snprintf(text, size, "material%u", slot);
    }
}

static bool file_begin(const mesh_export_desc *d, const char *path, whole_file *file, const char **why)
{
    if (!whole_file_may_place(d->folder, path, d->replace, why)) {
        return false;
    }
    bool begun = whole_file_begin(file, d->folder, path, WHOLE_FILE_MODE, d->named);
    *why = strerror(errno);
    return begun;
}

static float from_snorm16(int16_t value)
{
    return value < -32767 ? -1.0f : (float)value / 32767.0f;
}

static void write_obj(const mesh_export_desc *d, const flat_mesh *m, FILE *file)
{
    for (uint32_t i = 0; i < m->vertex_count; ++i) { /* nine digits bring a float back exactly */
        const leat_vertex *v = &m->vertices[i];
        fprintf(file, "v %.9g %.9g %.9g\n", (double)v->position[0], (double)v->position[1], (double)v->position[2]);
        fprintf(file, "vt %.9g %.9g\n", (double)v->uv[0], (double)(1.0f - v->uv[1])); /* OBJ counts rows from below */
        fprintf(file, "vn %.6g %.6g %.6g\n", (double)from_snorm16(v->normal[0]), (double)from_snorm16(v->normal[1]),
                (double)from_snorm16(v->normal[2]));
    }
    for (uint32_t s = 0; s < m->submesh_count; ++s) {
        char name[LEAT_PACK_NAME_SIZE_MAX + 1];
        material_text(d, m->submeshes[s].material, name, sizeof(name));
        fprintf(file, "usemtl %s\n", name);
        const uint32_t *at = m->indices + m->submeshes[s].index_first;
        for (uint32_t k = 0; k < m->submeshes[s].index_count; k += 3) {
            uint32_t a = at[k] + 1, b = at[k + 1] + 1, c = at[k + 2] + 1;
            fprintf(file, "f %u/%u/%u %u/%u/%u %u/%u/%u\n", a, a, a, b, b, b, c, c, c);
        }
    }
}

bool mesh_export_obj(const mesh_export_desc *d, const char **why)
{
    flat_mesh m;
    if (!flatten(d, &m, why)) {
        return false;
    }
    whole_file file = { 0 };
    bool ok = file_begin(d, d->path, &file, why);
    if (ok) {
        write_obj(d, &m, file.stream);
        ok = whole_file_end(&file) && whole_file_place(&file, d->replace);
        *why = strerror(errno);
    }
    whole_file_abandon(&file);
    flat_free(&m);
    return ok;
}

/* ---- glTF ---- */

static cJSON *add_view(cJSON *views, uint64_t offset, uint64_t size, uint32_t stride, int target)
{
    cJSON *view = cJSON_CreateObject();
    cJSON_AddNumberToObject(view, "buffer", 0);
    cJSON_AddNumberToObject(view, "byteOffset", (double)offset);
    cJSON_AddNumberToObject(view, "byteLength", (double)size);
    if (stride != 0) {
        cJSON_AddNumberToObject(view, "byteStride", stride);
    }
    cJSON_AddNumberToObject(view, "target", target);
    cJSON_AddItemToArray(views, view);
    return view;
}

static cJSON *add_accessor(cJSON *accessors, int view, uint64_t offset, int component, uint32_t count, const char *type)
{
    cJSON *accessor = cJSON_CreateObject();
    cJSON_AddNumberToObject(accessor, "bufferView", view);
    cJSON_AddNumberToObject(accessor, "byteOffset", (double)offset);
    cJSON_AddNumberToObject(accessor, "componentType", component);
    cJSON_AddNumberToObject(accessor, "count", count);
    cJSON_AddStringToObject(accessor, "type", type);
    cJSON_AddItemToArray(accessors, accessor);
    return accessor;
}

static void add_bounds(const flat_mesh *m, cJSON *accessor)
{
    float low[3] = { 0 }, high[3] = { 0 };
    for (uint32_t i = 0; i < m->vertex_count; ++i) {
        for (uint32_t axis = 0; axis < 3; ++axis) {
            float p = m->vertices[i].position[axis];
            low[axis] = i == 0 || p < low[axis] ? p : low[axis];
            high[axis] = i == 0 || p > high[axis] ? p : high[axis];
        }
    }
    cJSON_AddItemToObject(accessor, "min", cJSON_CreateFloatArray(low, 3));
    cJSON_AddItemToObject(accessor, "max", cJSON_CreateFloatArray(high, 3));
}

/* Vertices as four floats arrays interleaved: position, normal as floats, uv, color. */
typedef struct gltf_vertex {
    float position[3], normal[3], uv[2];
    uint8_t color[4];
} gltf_vertex;

static void write_bin(const flat_mesh *m, FILE *file)
{
    for (uint32_t i = 0; i < m->vertex_count; ++i) {
        const leat_vertex *v = &m->vertices[i];
        gltf_vertex out;
        memcpy(out.position, v->position, sizeof(out.position));
        for (uint32_t axis = 0; axis < 3; ++axis) {
            out.normal[axis] = from_snorm16(v->normal[axis]);
        }
        memcpy(out.uv, v->uv, sizeof(out.uv));
        memcpy(out.color, v->color, sizeof(out.color));
        fwrite(&out, sizeof(out), 1, file);
    }
    fwrite(m->indices, sizeof(*m->indices), m->index_count, file);
}

static void add_primitives(const mesh_export_desc *d, const flat_mesh *m, cJSON *root, cJSON *accessors)
{
    cJSON *materials = cJSON_AddArrayToObject(root, "materials");
    cJSON *meshes = cJSON_AddArrayToObject(root, "meshes");
    cJSON *mesh = cJSON_CreateObject();
    cJSON_AddItemToArray(meshes, mesh);
    cJSON *primitives = cJSON_AddArrayToObject(mesh, "primitives");
    for (uint32_t s = 0; s < m->submesh_count; ++s) {
        if (m->submeshes[s].index_count == 0) {
            continue; /* glTF allows no empty accessor */
        }
        char name[LEAT_PACK_NAME_SIZE_MAX + 1];
        material_text(d, m->submeshes[s].material, name, sizeof(name));
        cJSON *material = cJSON_CreateObject();
        cJSON_AddStringToObject(material, "name", name);
        cJSON *primitive = cJSON_CreateObject();
        cJSON *attributes = cJSON_AddObjectToObject(primitive, "attributes");
        cJSON_AddNumberToObject(attributes, "POSITION", 0);
        cJSON_AddNumberToObject(attributes, "NORMAL", 1);
        cJSON_AddNumberToObject(attributes, "TEXCOORD_0", 2);
        cJSON_AddNumberToObject(attributes, "COLOR_0", 3);
        cJSON_AddNumberToObject(primitive, "indices", cJSON_GetArraySize(accessors));
        cJSON_AddNumberToObject(primitive, "material", cJSON_GetArraySize(materials));
        cJSON_AddNumberToObject(primitive, "mode", GLTF_TRIANGLES);
        add_accessor(accessors, 1, (uint64_t)m->submeshes[s].index_first * 4, GLTF_UNSIGNED_INT,
                     m->submeshes[s].index_count, "SCALAR");
        cJSON_AddItemToArray(materials, material);
        cJSON_AddItemToArray(primitives, primitive);
    }
}

/* A file's name as a URI: all but letters, digits and -._~ as %XX (RFC 3986). */
static void add_uri(cJSON *buffer, const char *name)
{
    char *uri = malloc(strlen(name) * 3 + 1), *end = uri;
    for (; uri != NULL && *name != '\0'; ++name) {
        bool plain = isalnum((unsigned char)*name) || strchr("-._~", *name) != NULL;
        end += sprintf(end, plain ? "%c" : "%%%02X", (unsigned char)*name);
    }
    cJSON_AddStringToObject(buffer, "uri", uri != NULL ? uri : "");
    free(uri);
}

static cJSON *describe(const mesh_export_desc *d, const flat_mesh *m, const char *bin_name)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *asset = cJSON_AddObjectToObject(root, "asset");
    cJSON_AddStringToObject(asset, "version", "2.0");
    cJSON_AddStringToObject(asset, "generator", "leat extract");
    uint64_t vertices = (uint64_t)m->vertex_count * sizeof(gltf_vertex), indices = (uint64_t)m->index_count * 4;
    cJSON *buffer = cJSON_CreateObject();
    add_uri(buffer, bin_name);
    cJSON_AddNumberToObject(buffer, "byteLength", (double)(vertices + indices));
    cJSON_AddItemToArray(cJSON_AddArrayToObject(root, "buffers"), buffer);
    cJSON *views = cJSON_AddArrayToObject(root, "bufferViews");
    add_view(views, 0, vertices, sizeof(gltf_vertex), GLTF_ARRAY_BUFFER);
    add_view(views, vertices, indices, 0, GLTF_ELEMENT_ARRAY_BUFFER);
    cJSON *accessors = cJSON_AddArrayToObject(root, "accessors");
    add_bounds(m, add_accessor(accessors, 0, offsetof(gltf_vertex, position), GLTF_FLOAT, m->vertex_count, "VEC3"));
    add_accessor(accessors, 0, offsetof(gltf_vertex, normal), GLTF_FLOAT, m->vertex_count, "VEC3");
    add_accessor(accessors, 0, offsetof(gltf_vertex, uv), GLTF_FLOAT, m->vertex_count, "VEC2");
    cJSON *color =
        add_accessor(accessors, 0, offsetof(gltf_vertex, color), GLTF_UNSIGNED_BYTE, m->vertex_count, "VEC4");
    cJSON_AddBoolToObject(color, "normalized", 1);
    add_primitives(d, m, root, accessors);
    cJSON *node = cJSON_CreateObject();
    cJSON_AddNumberToObject(node, "mesh", 0);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(root, "nodes"), node);
    cJSON *scene = cJSON_CreateObject();
    int first = 0;
    cJSON_AddItemToObject(scene, "nodes", cJSON_CreateIntArray(&first, 1));
    cJSON_AddItemToArray(cJSON_AddArrayToObject(root, "scenes"), scene);
    cJSON_AddNumberToObject(root, "scene", 0);
    return root;
}

/* Both files or none: one without the other is taken for a whole model, or for another's half. So both are written
 * before the first is put into its place. */
static bool write_both(const mesh_export_desc *d, const char *bin_path, const flat_mesh *m, const char **why)
{
    const char *slash = strrchr(bin_path, '/');
    cJSON *root = describe(d, m, slash != NULL ? slash + 1 : bin_path);
    char *json = cJSON_Print(root);
    whole_file text = { 0 }, bin = { 0 };
    *why = "out of memory";
    bool ok = json != NULL && file_begin(d, d->path, &text, why);
    if (ok && !whole_file_may_place(d->folder, bin_path, d->replace, why)) {
        *why = d->replace ? "its .bin is there already, and is not a file; move it away"
                          : "its .bin is there already; --force replaces it";
        ok = false;
    }
    if (ok && file_begin(d, bin_path, &bin, why)) {
        fputs(json, text.stream);
        write_bin(m, bin.stream);
        bool bin_placed = whole_file_end(&text) && whole_file_end(&bin) && whole_file_place(&bin, d->replace);
        ok = bin_placed && whole_file_place(&text, d->replace);
        *why = strerror(errno);
        if (bin_placed && !ok && !d->replace) {
            unlinkat(d->folder, bin_path, 0);
        }
    } else {
        ok = false;
    }
    whole_file_abandon(&bin);
    whole_file_abandon(&text);
    cJSON_free(json);
    cJSON_Delete(root);
    return ok;
}

bool mesh_export_gltf(const mesh_export_desc *d, const char **why)
{
    flat_mesh m;
    if (!flatten(d, &m, why)) {
        return false;
    }
    size_t length = strlen(d->path);
    char *bin_path = malloc(length + 5);
    *why = "out of memory";
    bool ok = bin_path != NULL && length > 5;
    if (ok) {
        memcpy(bin_path, d->path, length + 1);
        memcpy(bin_path + length - 5, ".bin", 5); /* instead of ".gltf" */
        ok = write_both(d, bin_path, &m, why);
    }
    free(bin_path);
    flat_free(&m);
    return ok;
}
