// placeholder, replaced by the next commit
#include "meshes.h"
size_t meshes_count(void)
{
    return 0;
}
bool meshes_write(const char *folder, size_t index, uint32_t seed)
{
    (void)folder;
    (void)index;
    (void)seed;
    return true;
}
bool meshes_use(const struct surface *surface, float scale, bool (*is_kept)(size_t index, float scale))
{
    (void)surface;
    (void)scale;
    (void)is_kept;
    return false;
}
