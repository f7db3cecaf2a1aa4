#include "status.h"

#include <apr_strings.h>

#define ASKERS_SHOWN 256
#define DELIVERIES_SHOWN 50
/* Meetings of which the failed deliveries are looked at. */
#define DELIVERIES_FOUND 1000
/* Code points of a text that others wrote. */
#define TITLE_SHOWN 120
#define ERROR_SHOWN 400

static const struct {
    const char *class;
    const char *sign;
} levels[] = {
    [PXR_LEVEL_OFF] = {"off", "\xE2\x80\x93"},   [PXR_LEVEL_UNKNOWN] = {"off", "?"},
    [PXR_LEVEL_GOOD] = {"good", "\xE2\x9C\x93"}, [PXR_LEVEL_CARE] = {"care", "!"},
    [PXR_LEVEL_BAD] = {"bad", "\xC3\x97"},
};

static const char *const kinds[PXR_TASKS] = {
    [PXR_TASK_MESSAGE] = "the message in the room",
    [PXR_TASK_DIRECT] = "the personal link for its creator",
    [PXR_TASK_DISCUSSION] = "the chat beside the call",
    [PXR_TASK_CALLBACK] = "the end, to the companion app",
};

static const char *const reasons[PXR_REASONS] = {
    [PXR_REASON_NONE] = "",
    [PXR_REASON_UNREACHABLE] = "Rocket.Chat cannot be reached",
    [PXR_REASON_BUSY] = "Rocket.Chat is too busy or has an error",
    [PXR_REASON_CREDENTIALS] = "user and token are not accepted",
    [PXR_REASON_ROOM] = "the user that posts is not a member of the room, or the room is closed",
    [PXR_REASON_REFUSED] = "Rocket.Chat refuses it",
    [PXR_REASON_GARBLED] = "the answer cannot be understood",
    [PXR_REASON_UNSUPPORTED] = "this kind of room has no such thing",
};

static pxr_level_t worst(const pxr_part_t *parts, size_t count)
{
    pxr_level_t level = PXR_LEVEL_OFF;

    for (size_t i = 0; i < count; i++) {
        level = parts[i].level > level ? parts[i].level : level;
    }
    return level;
}

/* What is at fault, and where it is explained. */
static void put_fault(const pxr_html_t *html, const pxr_part_t *part)
{
    pxr_html_put(html, "<p><a href=\"#part-%s\">%s</a>: %s", part->key, part->name, part->word);
    if (part->effect != NULL) {
        pxr_html_put(html, ". <strong>%s</strong>", part->effect);
    }
    pxr_html_put(html, "</p>");
}

/* The whole in one sentence, which is read out when it changes. */
static void put_verdict(const pxr_web_t *web, const pxr_part_t *parts, size_t count)
{
    const pxr_html_t *html = &web->html;
    pxr_level_t level = worst(parts, count);
    bool asked = parts[0].level != PXR_LEVEL_UNKNOWN;
    const char *said = "Calls work";

    if (level == PXR_LEVEL_BAD) {
        said = "Calls do not work as they should";
    } else if (!asked) {
        said = "No Conferencing Node has asked yet";
        level = PXR_LEVEL_UNKNOWN;
    } else if (level == PXR_LEVEL_CARE) {
        said = "Calls work, but something needs attention";
    }
    pxr_html_put(html,
                 "<div role=\"status\" aria-live=\"polite\">\n<div id=\"verdict\" data-fresh>");
    pxr_html_put(html, "<h1 class=\"%s\">%s</h1>", levels[level].class, said);
    for (int fault = PXR_LEVEL_BAD; fault >= PXR_LEVEL_CARE; fault--) {
        for (size_t i = 0; i < count; i++) {
            if ((int)parts[i].level == fault) {
                put_fault(html, &parts[i]);
            }
        }
    }
    if (!asked) {
        pxr_html_put(html,
                     "<p>Nothing can be said about calls before a Conferencing Node has asked. "
                     "<a href=\"%s/setup\">See the set-up</a>.</p>",
                     web->base);
    }
    pxr_html_put(html,
                 "</div>\n<p id=\"stale\" hidden><strong>This page could not be brought up to "
                 "date: httpd does not answer.</strong></p>\n</div>\n");
}

static void put_since(const pxr_web_t *web, const pxr_part_t *part)
{
    if (part->when == NULL || part->since == 0) {
        return;
    }
    pxr_html_put(&web->html, "<p class=\"soft\">%s ", part->when);
    pxr_web_put_time(web, part->since);
    pxr_html_put(&web->html, "</p>\n");
}

static void put_part(const pxr_web_t *web, const pxr_part_t *part)
{
    const pxr_html_t *html = &web->html;

    pxr_html_put(html, "<li class=\"card %s\" id=\"part-%s\">\n<h3>%s ", levels[part->level].class,
                 part->key, part->name);
    if (part->server != NULL) {
        pxr_html_put(html, "<bdi>%s</bdi> ", part->server);
    }
    pxr_html_put(html,
                 "<span class=\"word %s\"><span aria-hidden=\"true\">%s</span> %s</span></h3>\n",
                 levels[part->level].class, levels[part->level].sign, part->word);
    if (part->effect != NULL) {
        pxr_html_put(html, "<p><strong>%s</strong></p>\n", part->effect);
    }
    if (part->what != NULL) {
        pxr_html_put(html, "<p>%s</p>\n", part->what);
    }
    if (part->error != NULL && part->error[0] != '\0') {
        pxr_html_put(html, "<p>It says: <q><bdi>");
        pxr_html_put_cut(html, part->error, ERROR_SHOWN);
        pxr_html_put(html, "</bdi></q></p>\n");
    }
    if (part->cure != NULL) {
        pxr_html_put(html, "<p>What to do: %s</p>\n", part->cure);
    }
    put_since(web, part);
    pxr_html_put(html, "</li>\n");
}

static void put_parts(const pxr_web_t *web, const pxr_part_t *parts, size_t count)
{
    pxr_html_put(&web->html, "<section id=\"parts\" aria-labelledby=\"parts-title\" data-fresh>\n"
                             "<h2 id=\"parts-title\">Parts</h2>\n<ul>\n");
    for (int level = PXR_LEVEL_BAD; level >= PXR_LEVEL_OFF; level--) {
        for (size_t i = 0; i < count; i++) {
            if ((int)parts[i].level == level) {
                put_part(web, &parts[i]);
            }
        }
    }
    pxr_html_put(&web->html, "</ul>\n</section>\n");
}

static void put_numbers(const pxr_web_t *web, const pxr_status_page_t *page)
{
    const struct {
        const char *name;
        uintmax_t value;
    } numbers[] = {
        {"live", page->numbers.live},
        {"people in them", page->numbers.present},
        {"open, nobody in", page->numbers.open},
        {"ended lately", page->numbers.ended},
        {"messages waiting", page->chat->waiting},
        {"messages failed", page->chat->failed},
        {"changes not written yet", page->database->unwritten},
    };

    pxr_html_put(&web->html, "<section id=\"meetings\" aria-labelledby=\"meetings-title\" "
                             "data-fresh>\n<h2 id=\"meetings-title\">Meetings</h2>\n"
                             "<dl class=\"numbers\">\n");
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        pxr_html_put(&web->html, "<div><dt>%s</dt><dd>%ju</dd></div>\n", numbers[i].name,
                     numbers[i].value);
    }
    pxr_html_put(&web->html, "</dl>\n</section>\n");
}

static void put_time_cell(const pxr_web_t *web, pxr_time_t when)
{
    pxr_html_put(&web->html, "<td>");
    if (when != 0) {
        pxr_web_put_time(web, when);
    } else {
        pxr_html_put(&web->html, "not yet");
    }
    pxr_html_put(&web->html, "</td>");
}

static void put_node_events(const pxr_web_t *web, const pxr_publisher_t *publisher)
{
    put_time_cell(web, publisher->last_at);
    pxr_html_put(&web->html, "<td>%ju</td><td>%ju</td><td>", (uintmax_t)publisher->events,
                 (uintmax_t)publisher->missing);
    if (publisher->version != 0) {
        pxr_html_put(&web->html, "%u", publisher->version);
    }
    pxr_html_put(&web->html, "</td></tr>\n");
}

/* What one node asked and told, whichever of both is known. */
static void put_node_rows(const pxr_web_t *web, const pxr_status_page_t *page,
                          const pxr_asker_t *askers, size_t asker_count)
{
    bool *shown = apr_pcalloc(web->r->pool, (asker_count + 1) * sizeof(*shown));

    for (size_t i = 0; i < page->node_count; i++) {
        pxr_time_t asked_at = 0;
        for (size_t j = 0; j < asker_count; j++) {
            if (strcmp(askers[j].node, page->nodes[i].node) == 0) {
                asked_at = askers[j].asked_at;
                shown[j] = true;
            }
        }
        pxr_html_put(&web->html, "<tr><th scope=\"row\"><bdi>%s</bdi></th>", page->nodes[i].node);
        put_time_cell(web, asked_at);
        put_node_events(web, &page->nodes[i].publisher);
    }
    for (size_t j = 0; j < asker_count; j++) {
        if (!shown[j]) {
            pxr_html_put(&web->html, "<tr><th scope=\"row\"><bdi>%s</bdi></th>", askers[j].node);
            put_time_cell(web, askers[j].asked_at);
            pxr_html_put(&web->html, "<td>not yet</td><td>0</td><td>0</td><td></td></tr>\n");
        }
    }
}

static void put_nodes(const pxr_web_t *web, const pxr_status_page_t *page)
{
    const pxr_html_t *html = &web->html;
    pxr_asker_t *askers = apr_palloc(web->r->pool, ASKERS_SHOWN * sizeof(*askers));
    size_t count =
        pxr_store_askers(web->call->store, web->call->workspace->number, askers, ASKERS_SHOWN);

    pxr_html_put(html, "<section id=\"nodes\" aria-labelledby=\"nodes-title\" data-fresh>\n"
                       "<h2 id=\"nodes-title\">Conferencing Nodes</h2>\n");
    if (page->node_count + count == 0) {
        pxr_html_put(html, "<p>None has been heard of yet.</p>\n</section>\n");
        return;
    }
    pxr_html_put(html,
                 "<p>Nodes that host calls should do both. Events that never arrived are counted "
                 "since the node started its event sink.</p>\n"
                 "<div class=\"scroll\" role=\"region\" aria-labelledby=\"nodes-title\" "
                 "tabindex=\"0\">\n<table>\n<caption>What each node asked and told</caption>\n"
                 "<thead><tr><th scope=\"col\">Node</th><th scope=\"col\">Asked last</th>"
                 "<th scope=\"col\">Last event</th><th scope=\"col\">Events</th>"
                 "<th scope=\"col\">Missing</th><th scope=\"col\">Version</th></tr></thead>\n"
                 "<tbody>\n");
    put_node_rows(web, page, askers, count);
    pxr_html_put(html, "</tbody>\n</table>\n</div>\n</section>\n");
}

static void put_button(const pxr_web_t *web, const char *meeting, const char *action,
                       const char *word)
{
    pxr_html_put(&web->html,
                 "<button type=\"submit\" name=\"action\" value=\"%s\" aria-label=\"%s: meeting "
                 "%s\">%s</button>\n",
                 action, word, meeting, word);
}

static void put_delivery(const pxr_web_t *web, const pxr_view_t *view)
{
    const pxr_html_t *html = &web->html;

    pxr_html_put(html, "<li class=\"card care\">\n<h3>");
    if (view->details.len[PXR_TITLE] > 0) {
        pxr_html_put(html, "<bdi>");
        pxr_html_put_cut(html, view->details.text[PXR_TITLE], TITLE_SHOWN);
        pxr_html_put(html, "</bdi> ");
    }
    pxr_html_put(html, "<code>%s</code></h3>\n<ul>\n", view->id);
    for (int kind = 0; kind < PXR_TASKS; kind++) {
        const pxr_task_t *task = &view->told.task[kind];
        if (pxr_task_shown(task) != PXR_TASK_FAILED) {
            continue;
        }
        pxr_html_put(html, "<li>%s: %s", kinds[kind], reasons[task->reason % PXR_REASONS]);
        if (task->http != 0) {
            pxr_html_put(html, " (HTTP status %u)", (unsigned)task->http);
        }
        pxr_html_put(html, ", ");
        pxr_web_put_time(web, task->changed_at);
        pxr_html_put(html, "</li>\n");
    }
    pxr_html_put(html,
                 "</ul>\n<form method=\"post\" action=\"%s\">\n"
                 "<input type=\"hidden\" name=\"meeting\" value=\"%s\">\n",
                 web->base, view->id);
    put_button(web, view->id, "retry", "Try again");
    put_button(web, view->id, "drop", "Give up");
    pxr_html_put(html, "</form>\n</li>\n");
}

static void put_deliveries(const pxr_web_t *web)
{
    const pxr_call_t *call = web->call;
    bool failed[PXR_TASK_STATES] = {[PXR_TASK_FAILED] = true};
    pxr_ref_t *refs = apr_palloc(web->r->pool, DELIVERIES_FOUND * sizeof(*refs));
    size_t count =
        pxr_store_tasks(call->store, call->workspace->number, failed, refs, DELIVERIES_FOUND);

    pxr_html_put(&web->html,
                 "<section id=\"deliveries\" aria-labelledby=\"deliveries-title\" "
                 "data-fresh>\n<h2 id=\"deliveries-title\">What Rocket.Chat could not be "
                 "told</h2>\n");
    if (count == 0) {
        pxr_html_put(&web->html, "<p>Nothing.</p>\n</section>\n");
        return;
    }
    pxr_html_put(&web->html, "<ul>\n");
    for (size_t i = 0; i < count && i < DELIVERIES_SHOWN; i++) {
        pxr_view_t view;
        if (pxr_store_read(call->store, call->workspace->number, refs[i], &view) == PXR_OK) {
            put_delivery(web, &view);
        }
        pxr_view_release(&view);
    }
    pxr_html_put(&web->html, "</ul>\n");
    if (count > DELIVERIES_SHOWN) {
        pxr_html_put(&web->html, "<p>There are %ju more.</p>\n",
                     (uintmax_t)(count - DELIVERIES_SHOWN));
    }
    pxr_html_put(&web->html, "</section>\n");
}

int pxr_status_page(request_rec *r, const pxr_call_t *call)
{
    pxr_part_t *parts = apr_pcalloc(r->pool, PXR_PARTS_MAX * sizeof(*parts));
    const char *outcome = pxr_status_outcome(r);
    pxr_status_page_t page;
    pxr_web_t web;
    size_t count;

    if (!pxr_web_begin(&web, r, call, PXR_WEB_STATUS)) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    pxr_status_fill(r, call, &page);
    count = pxr_status_parts(r->pool, call, &page, parts);
    put_verdict(&web, parts, count);
    pxr_html_put(&web.html, "<div id=\"outcome\" data-fresh>");
    if (outcome != NULL) {
        pxr_html_put(&web.html, "<p class=\"card\">%s</p>", outcome);
    }
    pxr_html_put(&web.html, "</div>\n");
    put_parts(&web, parts, count);
    put_numbers(&web, &page);
    put_nodes(&web, &page);
    put_deliveries(&web);
    return pxr_web_end(&web);
}
