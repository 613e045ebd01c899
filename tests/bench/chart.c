/* chart.c - a chart of `leat-bench peers` as SVG, made from the JSON that it writes:
 *
 *     leat-bench peers --pack bc.leat --json peers.json && leat-bench-chart peers.json peers.svg
 *
 * One row for each contestant, the fastest cold one first: decoded MB/s cold and warm as bars (medians, with a line
 * from the slowest round to the fastest), and the CPU seconds for each GB as numbers. The same JSON gives the same
 * bytes. No fonts or files of others are named, so it looks right in a README, in a browser and in print. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_BYTES_MAX (64 << 20)
#define ROW_COUNT_MAX 64
#define PREFIX "peers/"

/* In pixels. */
#define WIDTH 960
#define NAME_WIDTH 262 /* right edge of the names */
#define BARS_LEFT 274
#define BARS_WIDTH 480
#define CPU_COLD 858 /* right edges of the two columns */
#define CPU_WARM 932
#define TOP 124
#define ROW_HEIGHT 46
#define BAR_HEIGHT 15
#define BOTTOM 66

enum { COLD = 0, WARM = 1, CACHE_COUNT = 2 };
static const char *const caches[CACHE_COUNT] = { "cold", "warm" };

typedef struct spread {
    double median, least, most;
    int count; /* of rounds; 0: not measured */
} spread;

typedef struct row {
    char name[64];
    spread rate[CACHE_COUNT]; /* decoded MB/s */
    double cpu[CACHE_COUNT]; /* seconds per GB, median; 0: not measured */
    bool leat;
} row;

typedef struct chart {
    row rows[ROW_COUNT_MAX];
    int count;
    char pack[256]; /* file name, without folders */
    double axis_max, axis_step; /* MB/s */
} chart;

/* ---- What was measured ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static spread spread_of(const cJSON *list)
{
    int count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    double *values = count > 0 ? malloc((size_t)count * sizeof(*values)) : NULL;
    spread s = { 0 };
    if (values == NULL) {
        return s;
    }
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (cJSON_IsNumber(item) && item->valuedouble > 0) {
            values[s.count++] = item->valuedouble;
        }
    }
    if (s.count > 0) {
        qsort(values, (size_t)s.count, sizeof(*values), by_value);
        s.least = values[0];
        s.median = s.count % 2 == 1 ? values[s.count / 2] : (values[s.count / 2 - 1] + values[s.count / 2]) / 2;
        s.most = values[s.count - 1];
    }
    free(values);
    return s;
}

static row *row_of(chart *c, const char *name, size_t length)
{
    for (int i = 0; i < c->count; ++i) {
        if (strlen(c->rows[i].name) == length && memcmp(c->rows[i].name, name, length) == 0) {
            return &c->rows[i];
        }
    }
    if (c->count == ROW_COUNT_MAX || length == 0 || length >= sizeof(c->rows->name)) {
        return NULL;
    }
    row *r = &c->rows[c->count++];
    memcpy(r->name, name, length);
    r->leat = strcmp(r->name, "leat") == 0;
    return r;
}

/* "peers/NAME/cold" and "peers/NAME/cold/cpu"; NAME may hold anything but these endings. */
static void take(chart *c, const cJSON *item)
{
    if (strncmp(item->string, PREFIX, strlen(PREFIX)) != 0) {
        return;
    }
    const char *name = item->string + strlen(PREFIX);
    for (int cache = 0; cache < CACHE_COUNT; ++cache) {
        for (int cpu = 0; cpu < 2; ++cpu) {
            char ending[16];
            int length = snprintf(ending, sizeof(ending), "/%s%s", caches[cache], cpu ? "/cpu" : "");
            size_t all = strlen(name);
            if (all <= (size_t)length || strcmp(name + all - length, ending) != 0) {
                continue;
            }
            row *r = row_of(c, name, all - (size_t)length);
            spread s = spread_of(item);
            if (r != NULL && cpu) {
                r->cpu[cache] = s.median;
            } else if (r != NULL) {
                r->rate[cache] = (spread){ s.median / 1e6, s.least / 1e6, s.most / 1e6, s.count };
            }
        }
    }
}

static int by_cold(const void *a, const void *b)
{
    const row *x = a, *y = b;
    double difference = y->rate[COLD].median - x->rate[COLD].median;
    return difference != 0 ? (difference > 0 ? 1 : -1) : strcmp(x->name, y->name);
}

/* The axis ends at a round number, after four to eight steps. */
static void choose_axis(chart *c)
{
    double most = 0;
    for (int i = 0; i < c->count; ++i) {
        for (int cache = 0; cache < CACHE_COUNT; ++cache) {
            most = c->rows[i].rate[cache].most > most ? c->rows[i].rate[cache].most : most;
        }
    }
    static const double steps[] = { 1, 2, 5 };
    double scale = 1;
    for (int i = 0; i < 30; ++i) {
        c->axis_step = steps[i % 3] * scale;
        scale *= i % 3 == 2 ? 10 : 1;
        if (c->axis_step * 8 >= most) {
            break;
        }
    }
    c->axis_max = c->axis_step * (double)(long)(most / c->axis_step + 0.999999);
}

static bool read_json(const char *path, chart *c)
{
    FILE *file = fopen(path, "re");
    char *text = file != NULL ? malloc(JSON_BYTES_MAX + 1) : NULL;
    if (text == NULL) {
        fprintf(stderr, "leat-bench-chart: %s: %s\n", path, strerror(errno));
        if (file != NULL) {
            fclose(file);
        }
        return false;
    }
    size_t size = fread(text, 1, JSON_BYTES_MAX, file);
    text[size] = '\0';
    fclose(file);
    cJSON *root = cJSON_Parse(text);
    free(text);
    const cJSON *raw = cJSON_GetObjectItemCaseSensitive(root, "raw");
    const cJSON *pack = cJSON_GetObjectItemCaseSensitive(root, "pack");
    const cJSON *item;
    cJSON_ArrayForEach(item, raw)
    {
        if (item->string != NULL) {
            take(c, item);
        }
    }
    if (cJSON_IsString(pack)) {
        const char *slash = strrchr(pack->valuestring, '/');
        snprintf(c->pack, sizeof(c->pack), "%s", slash != NULL ? slash + 1 : pack->valuestring);
    }
    cJSON_Delete(root);
    if (c->count == 0) {
        fprintf(stderr, "leat-bench-chart: %s: no contestants in it; make it with: leat-bench peers --json %s\n", path,
                path);
        return false;
    }
    qsort(c->rows, (size_t)c->count, sizeof(*c->rows), by_cold);
    choose_axis(c);
    return true;
}

/* ---- The picture ---- */

static void put_text(FILE *out, const char *text)
{
    for (; *text != '\0'; ++text) {
        const char *entity = *text == '&' ? "&amp;" : *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : NULL;
        if (entity != NULL) {
            fputs(entity, out);
        } else if ((unsigned char)*text >= ' ') {
            fputc(*text, out);
        }
    }
}

/* 1234.5 as "1,234": thousands are set apart. */
static void put_rate(FILE *out, double rate)
{
    long value = (long)(rate + 0.5);
    if (value >= 1000) {
        fprintf(out, "%ld,%03ld", value / 1000, value % 1000);
    } else {
        fprintf(out, "%ld", value);
    }
}

static double x_of(const chart *c, double rate)
{
    return BARS_LEFT + BARS_WIDTH * rate / c->axis_max;
}

static void put_head(FILE *out, const chart *c, int height)
{
    int rounds = c->rows[0].rate[COLD].count;
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\" "
            "aria-label=\"Decoded megabytes per second of Leat and of other ways to load, cold and warm\">\n",
            WIDTH, height, WIDTH, height);
    fputs("<style>\n"
          "text { font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif; "
          "font-size: 13px; fill: #24292f }\n"
          ".title { font-size: 19px; font-weight: 600 }\n"
          ".note, .tick { fill: #57606a; font-size: 12px }\n"
          ".end { text-anchor: end }\n"
          ".middle { text-anchor: middle }\n"
          ".leat { font-weight: 700; fill: #9a3412 }\n"
          ".grid { stroke: #e4e7eb }\n"
          ".range { stroke: #24292f; stroke-opacity: 0.8 }\n"
          ".cold { fill: #5b6b7d }\n"
          ".warm { fill: #b4bfca }\n"
          ".leat-cold { fill: #d9480f }\n"
          ".leat-warm { fill: #ffa366 }\n"
          "</style>\n",
          out);
    fprintf(out, "<rect width=\"%d\" height=\"%d\" rx=\"6\" fill=\"#ffffff\"/>\n", WIDTH, height);
    fputs("<text class=\"title\" x=\"28\" y=\"40\">Loading a whole pack: decoded MB/s</text>\n", out);
    fputs("<text class=\"note\" x=\"28\" y=\"63\">", out);
    if (c->pack[0] != '\0') {
        put_text(out, c->pack);
        fputs(" · ", out);
    }
    if (rounds > 1) {
        fprintf(out, "medians of %d rounds in turns, lines from the slowest to the fastest", rounds);
    } else {
        fputs("one round", out);
    }
    fputs(" · longer is better</text>\n", out);
}

/* Which colour is what, and the heads of the columns of numbers. */
static void put_legend(FILE *out)
{
    static const char *const texts[CACHE_COUNT] = { "cold: from the device", "warm: from the page cache" };
    for (int cache = 0; cache < CACHE_COUNT; ++cache) {
        int x = BARS_LEFT + cache * 190;
        fprintf(out, "<rect class=\"leat-%s\" x=\"%d\" y=\"86\" width=\"11\" height=\"11\"/>", caches[cache], x);
        fprintf(out, "<rect class=\"%s\" x=\"%d\" y=\"86\" width=\"11\" height=\"11\"/>", caches[cache], x + 13);
        fprintf(out, "<text class=\"note\" x=\"%d\" y=\"96\">%s</text>\n", x + 31, texts[cache]);
    }
    fprintf(out, "<text class=\"note end\" x=\"%d\" y=\"80\">CPU seconds per GB</text>\n", CPU_WARM);
    fprintf(out, "<text class=\"note end\" x=\"%d\" y=\"96\">cold</text>", CPU_COLD);
    fprintf(out, "<text class=\"note end\" x=\"%d\" y=\"96\">warm</text>\n", CPU_WARM);
}

static void put_axis(FILE *out, const chart *c)
{
    int bottom = TOP + c->count * ROW_HEIGHT;
    int step_count = (int)(c->axis_max / c->axis_step + 0.5);
    for (int i = 0; i <= step_count; ++i) {
        double rate = i * c->axis_step, x = x_of(c, rate);
        fprintf(out, "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>", x, TOP - 10, x, bottom);
        fprintf(out, "<text class=\"tick middle\" x=\"%.1f\" y=\"%d\">", x, bottom + 18);
        put_rate(out, rate);
        fputs("</text>\n", out);
    }
    fprintf(out, "<text class=\"note middle\" x=\"%d\" y=\"%d\">MB/s, decoded</text>\n", BARS_LEFT + BARS_WIDTH / 2,
            bottom + 40);
}

static void put_bar(FILE *out, const chart *c, const row *r, int cache, int y)
{
    const spread *s = &r->rate[cache];
    if (s->count == 0) {
        fprintf(out, "<text class=\"note\" x=\"%d\" y=\"%d\">not measured</text>\n", BARS_LEFT + 6, y + 12);
        return;
    }
    double end = x_of(c, s->median), most = x_of(c, s->most);
    fprintf(out, "<rect class=\"%s%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>", r->leat ? "leat-" : "",
            caches[cache], BARS_LEFT, y, end - BARS_LEFT, BAR_HEIGHT);
    if (s->count > 1) {
        double middle = y + BAR_HEIGHT / 2.0;
        fprintf(out, "<line class=\"range\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", x_of(c, s->least),
                middle, most, middle);
    }
    fprintf(out, "<text%s x=\"%.1f\" y=\"%d\">", r->leat ? " class=\"leat\"" : "", most + 6, y + 12);
    put_rate(out, s->median);
    fputs("</text>\n", out);
}

static void put_row(FILE *out, const chart *c, int position)
{
    const row *r = &c->rows[position];
    int y = TOP + position * ROW_HEIGHT;
    int centre = y + BAR_HEIGHT + 5;
    fprintf(out, "<text class=\"end%s\" x=\"%d\" y=\"%d\">", r->leat ? " leat" : "", NAME_WIDTH, centre);
    put_text(out, r->leat ? "Leat" : r->name);
    fputs("</text>\n", out);
    for (int cache = 0; cache < CACHE_COUNT; ++cache) {
        put_bar(out, c, r, cache, y + cache * (BAR_HEIGHT + 1));
        if (r->cpu[cache] > 0) {
            fprintf(out, "<text class=\"end%s\" x=\"%d\" y=\"%d\">%.2f</text>\n", r->leat ? " leat" : "",
                    cache == COLD ? CPU_COLD : CPU_WARM, centre, r->cpu[cache]);
        }
    }
}

static bool write_svg(const char *path, const chart *c)
{
    FILE *out = fopen(path, "we");
    if (out == NULL) {
        fprintf(stderr, "leat-bench-chart: %s: %s\n", path, strerror(errno));
        return false;
    }
    put_head(out, c, TOP + c->count * ROW_HEIGHT + BOTTOM);
    put_legend(out);
    put_axis(out, c);
    for (int i = 0; i < c->count; ++i) {
        put_row(out, c, i);
    }
    fputs("</svg>\n", out);
    bool ok = ferror(out) == 0;
    ok = fclose(out) == 0 && ok;
    if (!ok) {
        fprintf(stderr, "leat-bench-chart: %s: %s\n", path, strerror(errno));
    }
    return ok;
}

int main(int argc, char **argv)
{
    bool help = argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    if (argc != 3) {
        fprintf(help ? stdout : stderr, "usage: leat-bench-chart PEERS.json OUT.svg\n\n"
                                        "Draws what `leat-bench peers --json PEERS.json` has measured.\n"
                                        "Exit codes: 0 drawn, 1 could not, 2 usage.\n");
        return help ? 0 : 2;
    }
    static chart c;
    return read_json(argv[1], &c) && write_svg(argv[2], &c) ? 0 : 1;
}
