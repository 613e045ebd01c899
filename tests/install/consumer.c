// A program outside the project: made from the installed headers and library alone, as C11 and as C++17. It checks that
// the two belong together and that the library runs.
#include <leat/leat.h>

#include <stdio.h>

int main(void)
{
    leat_streamer *streamer = NULL;
    if (leat_version() != LEAT_VERSION) {
        printf("header %u, library %u\n", (unsigned)LEAT_VERSION, (unsigned)leat_version());
        return 1;
    }
    leat_result result = leat_create(NULL, &streamer);
    if (result != LEAT_OK) {
        printf("leat_create: %s\n", leat_result_text(result));
        return 1;
    }
    leat_destroy(streamer);
    return 0;
}
