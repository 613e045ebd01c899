// Writes meshes as glTF 2.0 (.gltf and .bin) or as OBJ with MTL, with materials that refer to the textures by relative
// path.
#include "mesh.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 4096 };

static FILE *open_output(const char *folder, const char *name, const char *ending)
{
    char path[PATH_SIZE];
    if (snprintf(path, sizeof path, "%s/%s%s", folder, name, ending) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    return fopen(path, "wb");
}

static bool close_output(FILE *file)
{
    bool good = ferror(file) == 0;
    return fclose(file) == 0 && good;
}

static bool write_binary(const struct mesh *mesh, const char *folder, const char *name)
{
    FILE *file = open_output(folder, name, ".bin");
    if (file == NULL) {
        return false;
    }
    for (size_t p = 0; p < mesh->part_count; p++) {
        const struct mesh_part *part = &mesh->parts[p];
        fwrite(part->vertices, sizeof *part->vertices, part->vertex_count, file); // interleaved, 32 bytes each
        fwrite(part->indices, sizeof *part->indices, part->index_count, file);
    }
    return close_output(file);
}

static void put_materials(FILE *file, const struct mesh *mesh)
{
    static const char *const roles[3] = { "albedo", "roughness", "normal" };
    fputs("  \"materials\": [", file);
    for (size_t p = 0; p < mesh->part_count; p++) {
        const struct surface *surface = mesh->parts[p].surface;
        fprintf(file,
                "%s\n    {\"name\": \"%s\", \"pbrMetallicRoughness\": {\"baseColorTexture\": {\"index\": %zu}, "
                "\"metallicFactor\": %d,"
                " \"metallicRoughnessTexture\": {\"index\": %zu}}, \"normalTexture\": {\"index\": %zu}%s}",
                p ? "," : "", surface->name, p * 3, surface->metal ? 1 : 0, p * 3 + 1, p * 3 + 2,
                surface->alpha ? ", \"alphaMode\": \"MASK\", \"doubleSided\": true" : "");
    }
    fputs("\n  ],\n  \"textures\": [", file);
    for (size_t i = 0; i < mesh->part_count * 3; i++) {
        fprintf(file, "%s{\"source\": %zu, \"sampler\": 0}", i ? ", " : "", i);
    }
    fputs("],\n  \"samplers\": [{\"magFilter\": 9729, \"minFilter\": 9987}],\n  \"images\": [", file);
    for (size_t i = 0; i < mesh->part_count * 3; i++) {
        const struct surface *surface = mesh->parts[i / 3].surface;
        fprintf(file, "%s\n    {\"uri\": \"../%s/%s_%s.png\"}", i ? "," : "", surface->folder, surface->name,
                roles[i % 3]);
    }
    fputs("\n  ],\n", file);
}

// Four accessors a part: positions, normals, texture coordinates, indices; two views a part.
static void put_buffers(FILE *file, const struct mesh *mesh, const char *name)
{
    size_t offset = 0;
    fputs("  \"accessors\": [", file);
    for (size_t p = 0; p < mesh->part_count; p++) {
        const struct mesh_part *part = &mesh->parts[p];
        struct vec3 low = part->vertices[0].position, high = low;
        for (size_t i = 1; i < part->vertex_count; i++) {
            struct vec3 at = part->vertices[i].position;
            low =
                (struct vec3){ at.x < low.x ? at.x : low.x, at.y < low.y ? at.y : low.y, at.z < low.z ? at.z : low.z };
            high = (struct vec3){ at.x > high.x ? at.x : high.x, at.y > high.y ? at.y : high.y,
                                  at.z > high.z ? at.z : high.z };
        }
        fprintf(file,
                "%s\n    {\"bufferView\": %zu, \"componentType\": 5126, \"count\": %zu, \"type\": \"VEC3\","
                " \"min\": [%.9g, %.9g, %.9g], \"max\": [%.9g, %.9g, %.9g]},",
                p ? "," : "", p * 2, part->vertex_count, (double)low.x, (double)low.y, (double)low.z, (double)high.x,
                (double)high.y, (double)high.z);
        fprintf(file,
                "\n    {\"bufferView\": %zu, \"byteOffset\": 12, \"componentType\": 5126, \"count\": %zu, \"type\": "
                "\"VEC3\"},",
                p * 2, part->vertex_count);
        fprintf(file,
                "\n    {\"bufferView\": %zu, \"byteOffset\": 24, \"componentType\": 5126, \"count\": %zu, \"type\": "
                "\"VEC2\"},",
                p * 2, part->vertex_count);
        fprintf(file, "\n    {\"bufferView\": %zu, \"componentType\": 5125, \"count\": %zu, \"type\": \"SCALAR\"}",
                p * 2 + 1, part->index_count);
    }
    fputs("\n  ],\n  \"bufferViews\": [", file);
    for (size_t p = 0; p < mesh->part_count; p++) {
        const struct mesh_part *part = &mesh->parts[p];
        size_t vertex_size = part->vertex_count * sizeof *part->vertices,
               index_size = part->index_count * sizeof *part->indices;
        fprintf(
            file,
            "%s\n    {\"buffer\": 0, \"byteOffset\": %zu, \"byteLength\": %zu, \"byteStride\": 32, \"target\": 34962},",
            p ? "," : "", offset, vertex_size);
        fprintf(file, "\n    {\"buffer\": 0, \"byteOffset\": %zu, \"byteLength\": %zu, \"target\": 34963}",
                offset + vertex_size, index_size);
        offset += vertex_size + index_size;
    }
    fprintf(file, "\n  ],\n  \"buffers\": [{\"uri\": \"%s.bin\", \"byteLength\": %zu}]\n}\n", name, offset);
}

bool mesh_write_gltf(const struct mesh *mesh, const char *folder, const char *name)
{
    _Static_assert(sizeof(struct mesh_vertex) == 32, "the vertex is written as it lies in memory");
    if (!write_binary(mesh, folder, name)) {
        return false;
    }
    FILE *file = open_output(folder, name, ".gltf");
    if (file == NULL) {
        return false;
    }
    fputs("{\n  \"asset\": {\"version\": \"2.0\", \"generator\": \"leat-samples\"},\n  \"scene\": 0,\n  \"scenes\": "
          "[{\"nodes\": [0]}],\n",
          file);
    fprintf(file,
            "  \"nodes\": [{\"name\": \"%s\", \"mesh\": 0}],\n  \"meshes\": [{\"name\": \"%s\", \"primitives\": [",
            name, name);
    for (size_t p = 0; p < mesh->part_count; p++) {
        fprintf(file,
                "%s\n    {\"attributes\": {\"POSITION\": %zu, \"NORMAL\": %zu, \"TEXCOORD_0\": %zu}, \"indices\": %zu, "
                "\"material\": %zu}",
                p ? "," : "", p * 4, p * 4 + 1, p * 4 + 2, p * 4 + 3, p);
    }
    fputs("\n  ]}],\n", file);
    put_materials(file, mesh);
    put_buffers(file, mesh, name);
    return close_output(file);
}

static bool write_mtl(const struct mesh *mesh, const char *folder, const char *name)
{
    FILE *file = open_output(folder, name, ".mtl");
    if (file == NULL) {
        return false;
    }
    for (size_t p = 0; p < mesh->part_count; p++) {
        const struct surface *surface = mesh->parts[p].surface;
        const char *theme = surface->folder, *base = surface->name;
        fprintf(file,
                "newmtl %s\nKd 1 1 1\nPm %d\nmap_Kd ../%s/%s_albedo.png\nnorm ../%s/%s_normal.png\nmap_Pr "
                "../%s/%s_roughness.png\n",
                base, surface->metal ? 1 : 0, theme, base, theme, base, theme, base);
        if (surface->alpha) {
            fprintf(file, "map_d ../%s/%s_albedo.png\n", theme, base);
        }
        fputc('\n', file);
    }
    return close_output(file);
}

bool mesh_write_obj(const struct mesh *mesh, const char *folder, const char *name)
{
    FILE *file = write_mtl(mesh, folder, name) ? open_output(folder, name, ".obj") : NULL;
    if (file == NULL) {
        return false;
    }
    size_t base = 1;
    fprintf(file, "# leat-samples\nmtllib %s.mtl\no %s\n", name, name);
    for (size_t p = 0; p < mesh->part_count; p++) {
        const struct mesh_part *part = &mesh->parts[p];
        for (size_t i = 0; i < part->vertex_count; i++) {
            const struct mesh_vertex *vertex = &part->vertices[i];
            // OBJ counts v from the bottom.
            fprintf(file, "v %.5f %.5f %.5f\nvn %.4f %.4f %.4f\nvt %.5f %.5f\n", (double)vertex->position.x,
                    (double)vertex->position.y, (double)vertex->position.z, (double)vertex->normal.x,
                    (double)vertex->normal.y, (double)vertex->normal.z, (double)vertex->u, (double)(1 - vertex->v));
        }
        fprintf(file, "usemtl %s\n", part->surface->name);
        for (size_t i = 0; i + 2 < part->index_count; i += 3) {
            size_t a = base + part->indices[i], b = base + part->indices[i + 1], c = base + part->indices[i + 2];
            fprintf(file, "f %zu/%zu/%zu %zu/%zu/%zu %zu/%zu/%zu\n", a, a, a, b, b, b, c, c, c);
        }
        base += part->vertex_count;
    }
    return close_output(file);
}
