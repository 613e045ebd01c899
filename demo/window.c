/* window.c - everything that knows SDL. Headless uses SDL's offscreen driver: OpenGL through EGL, without a display. */
#include "window.h"

#define SDL_MAIN_HANDLED
#include <SDL2/SDL.h>
#include <epoxy/gl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool video_init(bool headless, window *w)
{
    SDL_SetMainReady();
    if (headless && getenv("SDL_VIDEODRIVER") == NULL) {
        SDL_SetHint(SDL_HINT_VIDEODRIVER, "offscreen");
    }
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "0");
    if (SDL_Init(SDL_INIT_VIDEO) == 0) {
        const char *driver = SDL_GetCurrentVideoDriver();
        bool unseen = driver != NULL && (strcmp(driver, "offscreen") == 0 || strcmp(driver, "dummy") == 0);
        if (headless || !unseen || getenv("SDL_VIDEODRIVER") != NULL) {
            return true;
        }
        SDL_Quit(); /* what SDL falls back to without a display: a window that nobody sees, and nobody can close */
        SDL_SetError("neither X11 nor Wayland can be reached");
    }
    if (headless) {
        snprintf(w->error, sizeof w->error, "no OpenGL off the screen (%s); install libegl1 and libgl1-mesa-dri",
                 SDL_GetError());
    } else {
        snprintf(w->error, sizeof w->error, "no display (%s); use --headless --screenshot F.png to render without one",
                 SDL_GetError());
    }
    return false;
}

bool window_create(bool headless, uint32_t width, uint32_t height, window *w)
{
    *w = (window){ .headless = headless };
    if (!video_init(headless, w)) {
        return false;
    }
    SDL_GL_SetAttribute(SDL_GL_CONTEXT_MAJOR_VERSION, 3);
    SDL_GL_SetAttribute(SDL_GL_CONTEXT_MINOR_VERSION, 3);
    SDL_GL_SetAttribute(SDL_GL_CONTEXT_PROFILE_MASK, SDL_GL_CONTEXT_PROFILE_CORE);
    SDL_GL_SetAttribute(SDL_GL_DEPTH_SIZE, 0);
    SDL_GL_SetAttribute(SDL_GL_DOUBLEBUFFER, 1);
    uint32_t flags = SDL_WINDOW_OPENGL | (headless ? 0u : SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI);
    /* Headless draws into its own target: the surface only carries the context. */
    w->sdl = SDL_CreateWindow("Leat", SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED, headless ? 64 : (int)width,
                              headless ? 64 : (int)height, flags);
    w->context = w->sdl != NULL ? SDL_GL_CreateContext(w->sdl) : NULL;
    if (w->context == NULL) {
        snprintf(w->error, sizeof w->error,
                 "no OpenGL 3.3 core (%s); install libgl1-mesa-dri and libegl1, or a driver for the GPU",
                 SDL_GetError());
        window_destroy(w);
        return false;
    }
    const char *renderer = (const char *)glGetString(GL_RENDERER);
    snprintf(w->renderer, sizeof w->renderer, "%s, OpenGL %d.%d", renderer != NULL ? renderer : "?",
             epoxy_gl_version() / 10, epoxy_gl_version() % 10);
    w->software = strstr(w->renderer, "llvmpipe") != NULL || strstr(w->renderer, "softpipe") != NULL ||
                  strstr(w->renderer, "SwiftShader") != NULL;
    if (!headless && SDL_GL_SetSwapInterval(-1) != 0) {
        SDL_GL_SetSwapInterval(1);
    }
    w->width = width;
    w->height = height;
    if (!headless) {
        int drawable_width = 0, drawable_height = 0;
        SDL_GL_GetDrawableSize(w->sdl, &drawable_width, &drawable_height);
        w->width = (uint32_t)drawable_width;
        w->height = (uint32_t)drawable_height;
    }
    return true;
}

void window_destroy(window *w)
{
    if (w->context != NULL) {
        SDL_GL_DeleteContext(w->context);
    }
    if (w->sdl != NULL) {
        SDL_DestroyWindow(w->sdl);
    }
    w->context = NULL;
    w->sdl = NULL;
    SDL_Quit();
}

static void mouse_hold(window *w, bool hold)
{
    w->mouse_held = hold;
    SDL_SetRelativeMouseMode(hold ? SDL_TRUE : SDL_FALSE);
}

static void key_take(window *w, SDL_Scancode key, window_input *input)
{
    switch (key) {
    case SDL_SCANCODE_ESCAPE:
        if (w->mouse_held) {
            mouse_hold(w, false);
        } else {
            input->quit = true;
        }
        break;
    case SDL_SCANCODE_F1:
        input->toggle_help = true;
        break;
    case SDL_SCANCODE_M:
        input->toggle_mips = true;
        break;
    case SDL_SCANCODE_L:
        input->toggle_lods = true;
        break;
    case SDL_SCANCODE_P:
        input->toggle_pause = true;
        break;
    case SDL_SCANCODE_TAB:
        input->toggle_hud = true;
        break;
    case SDL_SCANCODE_F:
        input->toggle_flight = true;
        break;
    case SDL_SCANCODE_EQUALS:
    case SDL_SCANCODE_KP_PLUS:
        input->budget_more = true;
        break;
    case SDL_SCANCODE_MINUS:
    case SDL_SCANCODE_KP_MINUS:
        input->budget_less = true;
        break;
    case SDL_SCANCODE_R:
        input->drop = true;
        break;
    case SDL_SCANCODE_C:
        input->drop = input->drop_cache = true;
        break;
    case SDL_SCANCODE_T:
        input->jump = true;
        break;
    case SDL_SCANCODE_F12:
        input->screenshot = true;
        break;
    default:
        break;
    }
}

void window_poll(window *w, window_input *input)
{
    *input = (window_input){ 0 };
    SDL_Event event;
    while (SDL_PollEvent(&event)) {
        if (event.type == SDL_QUIT) {
            input->quit = true;
        } else if (event.type == SDL_KEYDOWN && event.key.repeat == 0) {
            key_take(w, event.key.keysym.scancode, input);
        } else if (event.type == SDL_MOUSEBUTTONDOWN && !w->mouse_held) {
            mouse_hold(w, true);
        } else if (event.type == SDL_MOUSEMOTION && w->mouse_held) {
            input->turn += (float)event.motion.xrel;
            input->pitch += (float)event.motion.yrel;
        } else if (event.type == SDL_WINDOWEVENT && event.window.event == SDL_WINDOWEVENT_FOCUS_LOST && w->mouse_held) {
            mouse_hold(w, false);
        } else if (event.type == SDL_WINDOWEVENT && event.window.event == SDL_WINDOWEVENT_SIZE_CHANGED &&
                   !w->headless) {
            int width = 0, height = 0;
            SDL_GL_GetDrawableSize(w->sdl, &width, &height);
            if (width > 0 && height > 0) {
                w->width = (uint32_t)width;
                w->height = (uint32_t)height;
                input->resized = true;
            }
        }
    }
    const uint8_t *held = SDL_GetKeyboardState(NULL);
    input->forward =
        (float)(held[SDL_SCANCODE_W] | held[SDL_SCANCODE_UP]) - (float)(held[SDL_SCANCODE_S] | held[SDL_SCANCODE_DOWN]);
    input->right = (float)(held[SDL_SCANCODE_D] | held[SDL_SCANCODE_RIGHT]) -
                   (float)(held[SDL_SCANCODE_A] | held[SDL_SCANCODE_LEFT]);
    input->up = (float)held[SDL_SCANCODE_E] - (float)held[SDL_SCANCODE_Q];
    input->fast = held[SDL_SCANCODE_LSHIFT] || held[SDL_SCANCODE_RSHIFT];
}

void window_present(window *w)
{
    SDL_GL_SwapWindow(w->sdl);
}
