/* window.h - SDL: the window (or its off-screen stand-in), the GL context, keys and mouse. */
#ifndef VIEW_WINDOW_H
#define VIEW_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

typedef struct window_input {
    bool quit, resized;
    float forward, right, up; /* -1 .. 1, keys that are held */
    bool fast;
    float turn, pitch; /* of the mouse, in pixels */
    bool toggle_help, toggle_mips, toggle_lods, toggle_pause, toggle_hud, toggle_flight;
    bool budget_more, budget_less, drop, drop_cache, jump, screenshot;
} window_input;

typedef struct window {
    struct SDL_Window *sdl;
    void *context;
    bool headless, mouse_held;
    uint32_t width, height; /* of the drawable, in pixels */
    bool software; /* GL without a GPU */
    char renderer[160];
    char error[400];
} window;

/* False with a text in w->error that says what to do. */
bool window_create(bool headless, uint32_t width, uint32_t height, window *w);
void window_destroy(window *w);
void window_poll(window *w, window_input *input);
void window_present(window *w);

#endif
