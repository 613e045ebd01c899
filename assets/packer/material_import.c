/* material_import.c - see material_import.h.
 *
 * Textures are found as artists' files name them: with backslashes, in another case, with a path from another machine.
 * What is found below the source folder becomes a reference; what is not is a warning that names it. */
#include "material_import.h"

#include <assimp/GltfMaterial.h>
#include <assimp/cimport.h>
#include <assimp/material.h>

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <xxhash.h>

#define TEXTURES_PER_MATERIAL_MAX 8u
#define NAME_SIZE_MAX LEAT_PACK_NAME_SIZE_MAX

/* ---- Finding files ---- */

static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* The entry of `folder` that equals `name` but for case; the first in byte order, so that the answer is always the
 * same. */
static bool find_any_case(const char *folder, const char *name, char *found, size_t found_size)
{
    DIR *d = opendir(folder);
    if (d == NULL) {
        return false;
    }
    char best[NAME_MAX + 1] = "";
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        if (strcasecmp(e->d_name, name) == 0 && (best[0] == '\0' || strcmp(e->d_name, best) < 0)) {
            snprintf(best, sizeof(best), "%s", e->d_name);
        }
    }
    closedir(d);
    if (best[0] == '\0') {
        return false;
    }
    int size = snprintf(found, found_size, "%s/%s", folder, best);
    return size > 0 && (size_t)size < found_size && is_file(found);
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Slashes for backslashes, %20 and its like undone (glTF URIs), blanks at the end dropped. In place. */
static void clean_path(char *path)
{
    char *out = path;
    for (const char *in = path; *in != '\0'; ++in) {
        if (*in == '%' && hex_value(in[1]) >= 0 && hex_value(in[2]) >= 0) {
            *out++ = (char)(hex_value(in[1]) * 16 + hex_value(in[2]));
            in += 2;
        } else {
            *out++ = *in == '\\' ? '/' : *in;
        }
    }
    while (out > path && isspace((unsigned char)out[-1])) {
        --out;
    }
    *out = '\0';
}

/* The file that a model means by `wanted`: as it says; in another case; by its last part beside the model. */
static bool find_texture(const char *model_path, const char *wanted, char *found, size_t found_size)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof(folder), "%s", model_path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL) {
        *slash = '\0';
    } else {
        snprintf(folder, sizeof(folder), ".");
    }
    int size = wanted[0] == '/' ? snprintf(found, found_size, "%s", wanted)
                                : snprintf(found, found_size, "%s/%s", folder, wanted);
    if (size > 0 && (size_t)size < found_size && is_file(found)) {
        return true;
    }
    const char *last = strrchr(wanted, '/');
    char deeper[PATH_MAX + NAME_MAX];
    if (last != NULL && wanted[0] != '/') {
        snprintf(deeper, sizeof(deeper), "%s/%.*s", folder, (int)(last - wanted), wanted);
        if (find_any_case(deeper, last + 1, found, found_size)) {
            return true;
        }
    }
    return find_any_case(folder, last != NULL ? last + 1 : wanted, found, found_size);
}

/* The pack's name of a file: its place below the root. False if it lies elsewhere. A file may be a link: it has the
 * name of the link, as it does where it is packed. */
static bool name_below_root(const char *path, const char *root, char *name, size_t name_size)
{
    const char *slash = strrchr(path, '/'), *file = slash != NULL ? slash + 1 : path;
    char folder[PATH_MAX * 2], real_folder[PATH_MAX], real_root[PATH_MAX];
    snprintf(folder, sizeof(folder), "%.*s/.", slash != NULL ? (int)(slash - path) : 1, slash != NULL ? path : ".");
    if (realpath(folder, real_folder) == NULL || realpath(root, real_root) == NULL) {
        return false;
    }
    size_t length = strcmp(real_root, "/") == 0 ? 0 : strlen(real_root);
    const char *below = real_folder + length;
    if (strncmp(real_folder, real_root, length) != 0 || (*below != '/' && *below != '\0')) {
        return false;
    }
    below += strspn(below, "/");
    int size = snprintf(name, name_size, "%s%s%s", below, *below != '\0' ? "/" : "", file);
    return size > 0 && (size_t)size < name_size;
}

typedef enum texture_place { TEXTURE_FOUND = 0, TEXTURE_MISSING, TEXTURE_OUTSIDE } texture_place;

/* Where the texture that a model names lies, and its name in the pack where it is found. */
static texture_place texture_find(const import_job *job, const char *wanted, char *name, size_t size)
{
    char found[PATH_MAX * 2];
    name[0] = '\0';
    if (!find_texture(job->path, wanted, found, sizeof(found))) {
        return TEXTURE_MISSING;
    }
    return name_below_root(found, job->root, name, size) ? TEXTURE_FOUND : TEXTURE_OUTSIDE;
}

/* All that the import's result takes from it: the warning about what lies outside names the root. */
static void texture_answer(const import_job *job, texture_place place, const char *name, uint64_t answer[2])
{
    const char *text = place == TEXTURE_FOUND ? name : place == TEXTURE_OUTSIDE ? job->root : "";
    XXH128_hash_t hash = XXH3_128bits_withSeed(text, strlen(text), (XXH64_hash_t)place);
    answer[0] = hash.low64;
    answer[1] = hash.high64;
}

void material_texture_ask(const import_job *job, const char *wanted, uint64_t answer[2])
{
    char name[NAME_SIZE_MAX + 1];
    texture_place place = texture_find(job, wanted, name, sizeof(name));
    texture_answer(job, place, name, answer);
}

/* ---- References ---- */

typedef struct draft {
    leat_pack_reference_record references[TEXTURES_PER_MATERIAL_MAX];
    uint32_t count;
} draft;

static const char *extension_of(const struct aiTexture *texture)
{
    return texture->mHeight != 0 ? "rgba" : texture->achFormatHint[0] != '\0' ? texture->achFormatHint : "img";
}

static void embedded_name(const import_job *job, const struct aiScene *scene, uint32_t index, char *name, size_t size)
{
    snprintf(name, size, "%s#image%u.%.8s", job->name, index, extension_of(scene->mTextures[index]));
}

/* "*3", or the file name of an embedded texture. */
static bool embedded_index(const struct aiScene *scene, const char *path, uint32_t *index)
{
    if (path[0] == '*') {
        unsigned long number = strtoul(path + 1, NULL, 10);
        *index = (uint32_t)number;
        return number < scene->mNumTextures;
    }
    for (uint32_t i = 0; i < scene->mNumTextures; ++i) {
        if (scene->mTextures[i]->mFilename.length > 0 && strcmp(scene->mTextures[i]->mFilename.data, path) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

static bool texture_name(const import_job *job, const struct aiScene *scene, const char *wanted, char *name,
                         size_t size, import_result *result)
{
    uint32_t index;
    if (embedded_index(scene, wanted, &index)) {
        embedded_name(job, scene, index, name, size);
        return true;
    }
    char cleaned[PATH_MAX];
    snprintf(cleaned, sizeof(cleaned), "%s", wanted);
    clean_path(cleaned);
    texture_place place = texture_find(job, cleaned, name, size);
    uint64_t answer[2];
    texture_answer(job, place, name, answer);
    import_add_lookup(result, LOOKUP_TEXTURE, cleaned, answer);
    if (place == TEXTURE_MISSING) {
        import_add_message(result, IMPORT_WARNING, "%s, named by %s, is missing", cleaned, job->name);
    } else if (place == TEXTURE_OUTSIDE) {
        import_add_message(result, IMPORT_WARNING, "%s, named by %s, lies outside of %s; pack a folder that holds both",
                           cleaned, job->name, job->root);
    }
    return place == TEXTURE_FOUND;
}

static bool has_role(const draft *d, uint32_t role)
{
    for (uint32_t i = 0; i < d->count; ++i) {
        if (d->references[i].role == role) {
            return true;
        }
    }
    return false;
}

static bool add_texture(const import_job *job, const struct aiScene *scene, const struct aiMaterial *material,
                        enum aiTextureType type, leat_reference_role role, texture_usage usage, draft *d,
                        import_result *result)
{
    struct aiString path;
    if (d->count == TEXTURES_PER_MATERIAL_MAX || has_role(d, role) || aiGetMaterialTextureCount(material, type) == 0 ||
        aiGetMaterialTexture(material, type, 0, &path, NULL, NULL, NULL, NULL, NULL, NULL) != aiReturn_SUCCESS ||
        path.length == 0) {
        return true;
    }
    char name[NAME_SIZE_MAX + 1];
    if (!texture_name(job, scene, path.data, name, sizeof(name), result)) {
        return true;
    }
    d->references[d->count++] =
        (leat_pack_reference_record){ .name_hash = leat_name_hash(name, strlen(name)), .role = role };
    return import_add_usage(result, name, usage);
}

static bool add_textures(const import_job *job, const struct aiScene *scene, const struct aiMaterial *m, bool gltf,
                         draft *d, import_result *result)
{
    static const struct {
        enum aiTextureType type;
        leat_reference_role role;
        texture_usage usage;
    } rows[] = {
        { aiTextureType_BASE_COLOR, LEAT_REFERENCE_BASE_COLOR, TEXTURE_USAGE_COLOR },
        { aiTextureType_DIFFUSE, LEAT_REFERENCE_BASE_COLOR, TEXTURE_USAGE_COLOR },
        { aiTextureType_NORMALS, LEAT_REFERENCE_NORMAL, TEXTURE_USAGE_NORMAL },
        { aiTextureType_NORMAL_CAMERA, LEAT_REFERENCE_NORMAL, TEXTURE_USAGE_NORMAL },
        { aiTextureType_EMISSIVE, LEAT_REFERENCE_EMISSIVE, TEXTURE_USAGE_COLOR },
        { aiTextureType_METALNESS, LEAT_REFERENCE_METALLIC_ROUGHNESS, TEXTURE_USAGE_DATA },
        { aiTextureType_DIFFUSE_ROUGHNESS, LEAT_REFERENCE_METALLIC_ROUGHNESS, TEXTURE_USAGE_DATA },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
        if (!add_texture(job, scene, m, rows[i].type, rows[i].role, rows[i].usage, d, result)) {
            return false;
        }
    }
    if (gltf) { /* these slots mean something else in other formats */
        return add_texture(job, scene, m, aiTextureType_UNKNOWN, LEAT_REFERENCE_METALLIC_ROUGHNESS, TEXTURE_USAGE_DATA,
                           d, result) &&
               add_texture(job, scene, m, aiTextureType_LIGHTMAP, LEAT_REFERENCE_OCCLUSION, TEXTURE_USAGE_DATA, d,
                           result);
    }
    /* MTL's map_Bump is read as a height; in files of the last twenty years it is nearly always a normal map. */
    return add_texture(job, scene, m, aiTextureType_HEIGHT, LEAT_REFERENCE_NORMAL, TEXTURE_USAGE_NORMAL, d, result);
}

/* ---- Factors ---- */

static float from_srgb(float c)
{
    return c <= 0.04045f ? c / 12.92f : powf((c + 0.055f) / 1.055f, 2.4f);
}

static float finite_or(float value, float fallback)
{
    return isfinite(value) ? value : fallback;
}

static float factor(const struct aiMaterial *m, const char *key, float fallback)
{
    float value = fallback;
    unsigned int count = 1;
    if (aiGetMaterialFloatArray(m, key, 0, 0, &value, &count) != aiReturn_SUCCESS) {
        return fallback;
    }
    return finite_or(value, fallback);
}

static void base_color(const struct aiMaterial *m, bool gltf, bool textured, leat_pack_material_metadata *out)
{
    struct aiColor4D color = { 1, 1, 1, 1 };
    bool found = aiGetMaterialColor(m, AI_MATKEY_BASE_COLOR, &color) == aiReturn_SUCCESS ||
                 aiGetMaterialColor(m, AI_MATKEY_COLOR_DIFFUSE, &color) == aiReturn_SUCCESS;
    float rgba[4] = { color.r, color.g, color.b, color.a };
    for (uint32_t i = 0; i < 4; ++i) {
        float value = fminf(fmaxf(finite_or(rgba[i], 1), 0), 1);
        out->base_color[i] = gltf || i == 3 ? value : from_srgb(value);
    }
    /* Exporters write Kd 0 or 0.8 beside a texture and do not mean it. */
    if (!gltf && (textured || !found)) {
        out->base_color[0] = out->base_color[1] = out->base_color[2] = 1;
    }
    if (!gltf) {
        out->base_color[3] = fminf(fmaxf(factor(m, "$mat.opacity", 1), 0), 1);
    }
}

static void alpha_mode(const struct aiMaterial *m, leat_pack_material_metadata *out)
{
    struct aiString mode;
    out->alpha_cutoff = factor(m, "$mat.gltf.alphaCutoff", 0.5f);
    if (aiGetMaterialString(m, AI_MATKEY_GLTF_ALPHAMODE, &mode) == aiReturn_SUCCESS) {
        out->alpha_mode = strcmp(mode.data, "MASK") == 0    ? LEAT_ALPHA_MASK
                          : strcmp(mode.data, "BLEND") == 0 ? LEAT_ALPHA_BLEND
                                                            : LEAT_ALPHA_OPAQUE;
    } else if (aiGetMaterialTextureCount(m, aiTextureType_OPACITY) > 0) {
        out->alpha_mode = LEAT_ALPHA_MASK; /* map_d */
    } else if (out->base_color[3] < 0.99f) {
        out->alpha_mode = LEAT_ALPHA_BLEND;
    }
}

static void fill_factors(const struct aiMaterial *m, bool gltf, bool textured, leat_pack_material_metadata *out)
{
    *out = (leat_pack_material_metadata){ .normal_scale = 1, .roughness = 0.9f };
    base_color(m, gltf, textured, out);
    struct aiColor4D emissive;
    if (aiGetMaterialColor(m, AI_MATKEY_COLOR_EMISSIVE, &emissive) == aiReturn_SUCCESS) {
        out->emissive[0] = finite_or(emissive.r, 0);
        out->emissive[1] = finite_or(emissive.g, 0);
        out->emissive[2] = finite_or(emissive.b, 0);
    }
    if (gltf) {
        out->metallic = factor(m, "$mat.metallicFactor", 1);
        out->roughness = factor(m, "$mat.roughnessFactor", 1);
    } else {
        /* Blinn-Phong exponent to roughness: alpha = sqrt(2 / (n + 2)), roughness = sqrt(alpha) (Walter et al. 2007).
         */
        float exponent = fmaxf(factor(m, "$mat.shininess", 10), 0);
        out->roughness = fminf(fmaxf(powf(2 / (exponent + 2), 0.25f), 0.3f), 1);
    }
    alpha_mode(m, out);
    int two_sided = 0;
    unsigned int count = 1;
    if (aiGetMaterialIntegerArray(m, AI_MATKEY_TWOSIDED, &two_sided, &count) == aiReturn_SUCCESS && two_sided) {
        out->flags |= LEAT_MATERIAL_DOUBLE_SIDED;
    }
}

/* ---- Names ---- */

/* "MODEL#INDEX.NAME": a model may use a name twice. NAME is printable, without slashes. */
static void material_name(const import_job *job, const struct aiScene *scene, uint32_t index, char *name, size_t size)
{
    struct aiString given;
    if (aiGetMaterialString(scene->mMaterials[index], AI_MATKEY_NAME, &given) != aiReturn_SUCCESS ||
        given.length == 0) {
        snprintf(name, size, "%s#material%u", job->name, index);
        return;
    }
    char clean[128];
    size_t at = 0;
    for (const char *c = given.data; *c != '\0' && at + 1 < sizeof(clean); ++c) {
        bool plain = isalnum((unsigned char)*c) || strchr("_-. ()+", *c) != NULL;
        clean[at++] = plain ? *c : '_';
    }
    clean[at] = '\0';
    snprintf(name, size, "%s#%u.%s", job->name, index, clean);
}

static bool add_image(const import_job *job, const struct aiScene *scene, uint32_t index, import_result *result)
{
    const struct aiTexture *t = scene->mTextures[index];
    char name[NAME_SIZE_MAX + 1];
    embedded_name(job, scene, index, name, sizeof(name));
    size_t size = t->mHeight == 0 ? t->mWidth : (size_t)t->mWidth * t->mHeight * 4;
    import_image image = { .name = strdup(name), .bytes = malloc(size == 0 ? 1 : size), .size = size };
    if (image.name == NULL || image.bytes == NULL) {
        free(image.name);
        free(image.bytes);
        return false;
    }
    if (t->mHeight == 0) {
        memcpy(image.bytes, t->pcData, size);
    } else {
        image.width = t->mWidth;
        image.height = t->mHeight;
        for (size_t i = 0; i < size / 4; ++i) { /* Assimp keeps BGRA */
            image.bytes[i * 4 + 0] = t->pcData[i].r;
            image.bytes[i * 4 + 1] = t->pcData[i].g;
            image.bytes[i * 4 + 2] = t->pcData[i].b;
            image.bytes[i * 4 + 3] = t->pcData[i].a;
        }
    }
    for (uint32_t i = 0; i < result->usage_count; ++i) {
        if (strcmp(result->usages[i].name, name) == 0) {
            image.usage = result->usages[i].usage;
        }
    }
    return import_add_image(result, &image);
}

static bool import_one(const import_job *job, const struct aiScene *scene, uint32_t index, bool gltf, uint64_t *hash,
                       import_result *result)
{
    char name[NAME_SIZE_MAX + 1];
    material_name(job, scene, index, name, sizeof(name));
    draft d = { .count = 0 };
    if (!add_textures(job, scene, scene->mMaterials[index], gltf, &d, result)) {
        return false;
    }
    import_asset asset = { .type = LEAT_ASSET_MATERIAL,
                           .name = strdup(name),
                           .metadata = malloc(sizeof(leat_pack_material_metadata)),
                           .metadata_size = sizeof(leat_pack_material_metadata),
                           .references = malloc(sizeof(d.references)),
                           .reference_count = d.count };
    if (asset.name == NULL || asset.metadata == NULL || asset.references == NULL) {
        import_asset_free(&asset);
        return false;
    }
    fill_factors(scene->mMaterials[index], gltf, has_role(&d, LEAT_REFERENCE_BASE_COLOR), asset.metadata);
    memcpy(asset.references, d.references, sizeof(d.references));
    *hash = leat_name_hash(name, strlen(name));
    return import_add_asset(result, &asset);
}

bool materials_import(const import_job *job, const struct aiScene *scene, const bool *used, uint64_t *hashes,
                      import_result *result)
{
    const char *dot = strrchr(job->path, '.');
    bool gltf = dot != NULL && (strcasecmp(dot, ".gltf") == 0 || strcasecmp(dot, ".glb") == 0);
    for (uint32_t i = 0; i < scene->mNumMaterials; ++i) {
        if (used[i] && !import_one(job, scene, i, gltf, &hashes[i], result)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < scene->mNumTextures; ++i) {
        if (!add_image(job, scene, i, result)) {
            return false;
        }
    }
    return true;
}
