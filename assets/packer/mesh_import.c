/* mesh_import.c - see mesh_import.h.
 *
 * Assimp reads the file, triangulates it, bakes the nodes' transforms into the vertices and makes normals where there
 * are none. What comes out is one soup of triangles, a submesh for each material, and mesh_build.c does the rest.
 * Values that are not finite, indices beyond the vertices and meshes beyond our limits are refused here: a model is as
 * hostile as any other file. */
#include "mesh_import.h"

#include "material_import.h"
#include "mesh_build.h"
#include "source_files.h"

#include <assimp/cimport.h>
#include <assimp/config.h>
#include <assimp/postprocess.h>
#include <assimp/scene.h>

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define VERTICES_MAX (48u << 20)
#define MTL_LINE_MAX 1024u
#define SMOOTHING_DEGREES 60.0f
#define POSITION_MAX 1e18f /* beyond this, squares overflow */

bool mesh_import_knows(const char *path)
{
    /* Formats that Assimp reads well; its list also has some that are other things (.xml, .json, .raw, .q3s ...). */
    static const char *const known[] = { "obj",  "gltf", "glb",  "fbx", "dae", "3ds", "ply", "stl",
                                         "ase",  "ac",   "ac3d", "lwo", "lws", "md2", "md3", "md5mesh",
                                         "ms3d", "b3d",  "x",    "smd", "off", "3mf" };
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof(known) / sizeof(known[0]); ++i) {
        if (strcasecmp(dot + 1, known[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- The .mtl files that an OBJ names: Assimp only shrugs when one is missing ---- */

static void check_material_libraries(const import_job *job, source_files *files, import_result *result)
{
    const char *dot = strrchr(job->path, '.');
    FILE *file = dot != NULL && strcasecmp(dot, ".obj") == 0 ? fopen(job->path, "re") : NULL;
    if (file == NULL) {
        return;
    }
    char line[MTL_LINE_MAX], path[MTL_LINE_MAX + 4096];
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "mtllib ", 7) != 0) {
            continue;
        }
        char *name = line + 7;
        size_t size = strlen(name);
        while (size > 0 && isspace((unsigned char)name[size - 1])) {
            name[--size] = '\0';
        }
        const char *slash = strrchr(job->path, '/');
        int folder = slash != NULL ? (int)(slash - job->path) + 1 : 0;
        snprintf(path, sizeof(path), "%.*s%s", folder, job->path, name);
        if (size > 0 && !source_files_has(files, path)) {
            import_add_message(result, IMPORT_WARNING, "%s, named by %s, is missing", name, job->name);
        }
    }
    fclose(file);
}

/* ---- Vertices ---- */

static int16_t snorm16(float value)
{
    return (int16_t)lrintf(fminf(fmaxf(value, -1), 1) * 32767);
}

static uint8_t unorm8(float value)
{
    return (uint8_t)lrintf(fminf(fmaxf(isfinite(value) ? value : 1, 0), 1) * 255);
}

static bool convert_vertex(const struct aiMesh *mesh, uint32_t i, leat_vertex *out)
{
    const struct aiVector3D p = mesh->mVertices[i];
    if (!(fabsf(p.x) < POSITION_MAX && fabsf(p.y) < POSITION_MAX && fabsf(p.z) < POSITION_MAX)) {
        return false; /* also for NaN */
    }
    *out = (leat_vertex){ .position = { p.x, p.y, p.z }, .color = { 255, 255, 255, 255 } };
    struct aiVector3D n = mesh->mNormals != NULL ? mesh->mNormals[i] : (struct aiVector3D){ 0, 1, 0 };
    float length = sqrtf(n.x * n.x + n.y * n.y + n.z * n.z);
    if (!(length > 1e-12f) || !isfinite(length)) {
        n = (struct aiVector3D){ 0, 1, 0 };
        length = 1;
    }
    out->normal[0] = snorm16(n.x / length);
    out->normal[1] = snorm16(n.y / length);
    out->normal[2] = snorm16(n.z / length);
    if (mesh->mTextureCoords[0] != NULL) {
        struct aiVector3D t = mesh->mTextureCoords[0][i];
        out->uv[0] = isfinite(t.x) ? t.x + 0.0f : 0;
        out->uv[1] = isfinite(t.y) ? t.y + 0.0f : 0;
    }
    if (mesh->mColors[0] != NULL) {
        struct aiColor4D c = mesh->mColors[0][i];
        out->color[0] = unorm8(c.r);
        out->color[1] = unorm8(c.g);
        out->color[2] = unorm8(c.b);
        out->color[3] = unorm8(c.a);
    }
    return true;
}

/* Appends a mesh's triangles; those with a bad vertex are left out and counted. */
static void append_triangles(const struct aiMesh *mesh, mesh_soup *soup, uint32_t *dropped)
{
    for (uint32_t f = 0; f < mesh->mNumFaces; ++f) {
        const struct aiFace *face = &mesh->mFaces[f];
        if (face->mNumIndices != 3) {
            continue;
        }
        leat_vertex *out = soup->vertices + soup->vertex_count;
        bool good = true;
        for (uint32_t k = 0; k < 3 && good; ++k) {
            good = face->mIndices[k] < mesh->mNumVertices && convert_vertex(mesh, face->mIndices[k], &out[k]);
        }
        soup->vertex_count += good ? 3 : 0;
        *dropped += good ? 0 : 1;
    }
}

static uint64_t count_vertices(const struct aiScene *scene)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < scene->mNumMeshes; ++i) {
        count += (uint64_t)scene->mMeshes[i]->mNumFaces * 3;
    }
    return count;
}

static void note_flags(const struct aiMesh *mesh, mesh_soup *soup)
{
    soup->flags |= mesh->mTextureCoords[0] != NULL ? LEAT_MESH_HAS_UV : 0u;
    soup->flags |= mesh->mColors[0] != NULL ? LEAT_MESH_HAS_COLORS : 0u;
    soup->flags |= mesh->mNormals != NULL ? LEAT_MESH_HAS_NORMALS : 0u;
}

/* One submesh for each material that has triangles, in the order of the materials. */
static bool gather(const struct aiScene *scene, mesh_soup *soup, bool *used, uint32_t *dropped)
{
    uint64_t count = count_vertices(scene);
    soup->vertices = malloc((size_t)(count + 1) * sizeof(*soup->vertices));
    soup->submesh_ends = calloc(scene->mNumMaterials, sizeof(*soup->submesh_ends));
    soup->materials = calloc(scene->mNumMaterials, sizeof(*soup->materials));
    if (soup->vertices == NULL || soup->submesh_ends == NULL || soup->materials == NULL) {
        return false;
    }
    for (uint32_t m = 0; m < scene->mNumMaterials; ++m) {
        uint32_t before = soup->vertex_count;
        for (uint32_t i = 0; i < scene->mNumMeshes; ++i) {
            if (scene->mMeshes[i]->mMaterialIndex == m) {
                append_triangles(scene->mMeshes[i], soup, dropped);
                note_flags(scene->mMeshes[i], soup);
            }
        }
        if (soup->vertex_count > before) {
            used[m] = true;
            soup->submesh_ends[soup->submesh_count] = soup->vertex_count;
            soup->materials[soup->submesh_count] = soup->material_count++;
            ++soup->submesh_count;
        }
    }
    return true;
}

/* ---- The asset ---- */

static bool add_mesh(const import_job *job, const mesh_soup *soup, const bool *used, const uint64_t *hashes,
                     uint32_t material_total, import_result *result, const char **why)
{
    import_asset asset = { 0 };
    if (!mesh_build(soup, &asset, why)) {
        return false;
    }
    *why = "out of memory";
    asset.name = strdup(job->name);
    asset.references = calloc(soup->material_count, sizeof(*asset.references));
    if (asset.name == NULL || asset.references == NULL) {
        import_asset_free(&asset);
        return false;
    }
    for (uint32_t m = 0; m < material_total; ++m) {
        if (used[m]) {
            asset.references[asset.reference_count] = (leat_pack_reference_record){ .name_hash = hashes[m],
                                                                                    .role = LEAT_REFERENCE_MATERIAL,
                                                                                    .slot = asset.reference_count };
            ++asset.reference_count;
        }
    }
    return import_add_asset(result, &asset);
}

static bool convert(const import_job *job, const struct aiScene *scene, import_result *result)
{
    mesh_soup soup = { 0 };
    uint32_t dropped = 0;
    const char *why = "it has no triangles";
    bool *used = calloc(scene->mNumMaterials + 1u, sizeof(*used));
    uint64_t *hashes = calloc(scene->mNumMaterials + 1u, sizeof(*hashes));
    bool ok = false;
    if (count_vertices(scene) > VERTICES_MAX) {
        why = "it has more than 16 million triangles";
    } else if (used == NULL || hashes == NULL || !gather(scene, &soup, used, &dropped)) {
        why = "out of memory";
    } else if (soup.vertex_count > 0) {
        why = "out of memory";
        ok = materials_import(job, scene, used, hashes, result) &&
             add_mesh(job, &soup, used, hashes, scene->mNumMaterials, result, &why);
    }
    if (!ok) {
        import_add_message(result, IMPORT_ERROR, "%s: %s", job->name, why);
    } else if (dropped > 0) {
        import_add_message(result, IMPORT_WARNING, "%s: %u triangles without finite, existing vertices were left out",
                           job->name, dropped);
    }
    free(used);
    free(hashes);
    free(soup.vertices);
    free(soup.submesh_ends);
    free(soup.materials);
    return ok;
}

bool mesh_import(const import_job *job, import_result *result)
{
    struct stat status;
    if (stat(job->path, &status) != 0) {
        import_add_message(result, IMPORT_ERROR, "%s: cannot be opened: %s", job->path, strerror(errno));
        return false;
    }
    if (job->bytes_max != 0 && (uint64_t)status.st_size > job->bytes_max) {
        import_add_message(result, IMPORT_ERROR, "%s: has %llu bytes; at most %llu go in", job->path,
                           (unsigned long long)status.st_size, (unsigned long long)job->bytes_max);
        return false;
    }
    source_files files;
    source_files_open(&files, job, result);
    check_material_libraries(job, &files, result);
    struct aiPropertyStore *properties = aiCreatePropertyStore();
    aiSetImportPropertyInteger(properties, AI_CONFIG_PP_SBP_REMOVE, aiPrimitiveType_POINT | aiPrimitiveType_LINE);
    aiSetImportPropertyInteger(properties, AI_CONFIG_PP_FD_REMOVE, 1);
    aiSetImportPropertyFloat(properties, AI_CONFIG_PP_GSN_MAX_SMOOTHING_ANGLE, SMOOTHING_DEGREES);
    unsigned int steps = aiProcess_Triangulate | aiProcess_FindDegenerates | aiProcess_SortByPType |
                         aiProcess_GenSmoothNormals | aiProcess_PreTransformVertices | aiProcess_FlipUVs;
    const struct aiScene *scene = aiImportFileExWithProperties(job->path, steps, &files.io, properties);
    aiReleasePropertyStore(properties);
    source_files_close(&files);
    if (scene == NULL) {
        const char *why = aiGetErrorString();
        import_add_message(result, IMPORT_ERROR, "%s: %s", job->name,
                           why != NULL && *why != '\0' ? why : "cannot be read as a model");
        return false;
    }
    bool ok = scene->mNumMeshes > 0 && convert(job, scene, result);
    if (scene->mNumMeshes == 0) {
        import_add_message(result, IMPORT_ERROR, "%s: has no meshes", job->name);
    }
    aiReleaseImport(scene);
    return ok;
}
