#include "status.h"

#include <apr_strings.h>

/* What Infinity takes (policy reference 1.1). */
#define INFINITY_URL_MAX 255
#define INFINITY_SECRET_MAX 100

#define PLACES_SHOWN 4
#define NODES_ASKED 8

/* The page while it is written. */
typedef struct {
    pxr_web_t web;
    const pxr_workspace_t *workspace;
    unsigned values; /* shown so far: makes their ids */
} setup_t;

typedef enum { SEEN, UNSEEN, HIDDEN, MISSING, OPTIONAL, OTHERWISE } tick_t;

static const struct {
    const char *class;
    const char *sign;
    const char *word;
} ticks[] = {
    [SEEN] = {"good", "\xE2\x9C\x93", "seen working"},
    [UNSEEN] = {"off", "?", "not seen working yet"},
    [HIDDEN] = {"off", "\xE2\x80\x93", "cannot be seen from here"},
    [MISSING] = {"care", "!", "not complete"},
    [OPTIONAL] = {"off", "\xE2\x80\x93", "not set up, and not required"},
    [OTHERWISE] = {"off", "\xE2\x80\x93", "another way"},
};

static void begin_step(const setup_t *s, const char *title, tick_t tick)
{
    pxr_html_put(&s->web.html,
                 "<li class=\"card %s\">\n<h3>%s <span class=\"word %s\">"
                 "<span aria-hidden=\"true\">%s</span> %s</span></h3>\n",
                 ticks[tick].class, title, ticks[tick].class, ticks[tick].sign, ticks[tick].word);
}

static void end_step(const setup_t *s)
{
    pxr_html_put(&s->web.html, "</li>\n");
}

static void say(const setup_t *s, const char *text)
{
    pxr_html_put(&s->web.html, "<p>%s</p>\n", text);
}

static void say_when(const setup_t *s, const char *what, pxr_time_t when)
{
    if (when != 0) {
        pxr_html_put(&s->web.html, "<p class=\"soft\">%s ", what);
        pxr_web_put_time(&s->web, when);
        pxr_html_put(&s->web.html, "</p>\n");
    }
}

static void begin_values(const setup_t *s)
{
    pxr_html_put(&s->web.html, "<dl>\n");
}

static void end_values(const setup_t *s)
{
    pxr_html_put(&s->web.html, "</dl>\n");
}

/* Something to be pasted elsewhere. The button works with the script only, and appears with it. */
static void put_value(setup_t *s, const char *name, const char *value)
{
    unsigned n = ++s->values;

    pxr_html_put(&s->web.html,
                 "<dt id=\"name-%u\">%s</dt>\n<dd class=\"copy\"><code id=\"value-%u\">%s</code>"
                 "<button type=\"button\" id=\"copy-%u\" data-copy=\"value-%u\" "
                 "aria-labelledby=\"copy-%u name-%u\" hidden>Copy</button></dd>\n",
                 n, name, n, value, n, n, n, n);
}

/* Something to be chosen elsewhere. */
static void put_choice(const setup_t *s, const char *name, const char *value)
{
    pxr_html_put(&s->web.html, "<dt>%s</dt>\n<dd>%s</dd>\n", name, value);
}

/* A secret stays where it is. */
static void put_secret(const setup_t *s, const char *name, const char *line, const char *file)
{
    pxr_html_put(&s->web.html, "<dt>%s</dt>\n<dd>the %s of <code>%s</code></dd>\n", name, line,
                 file);
}

static void put_account(setup_t *s)
{
    const pxr_workspace_t *w = s->workspace;

    if (w->user == NULL) {
        put_choice(s, "User name and password",
                   "those of the user whom the section's AuthBasicProvider knows");
        return;
    }
    put_value(s, "User name", w->user);
    put_secret(s, "Password", "second line", w->credentials_file);
}

static const char *url_at(const setup_t *s, const pxr_section_t *section, const char *suffix)
{
    return apr_pstrcat(s->web.r->pool, s->workspace->site_url, section->prefix, suffix, NULL);
}

/* Where a handler is reached; what to do where it is not known. */
static void put_places(setup_t *s, const apr_array_header_t *places, const char *name,
                       const char *suffix)
{
    for (int i = 0; i < places->nelts && i < PLACES_SHOWN; i++) {
        const pxr_section_t *place = &APR_ARRAY_IDX(places, i, pxr_section_t);
        put_value(s, i == 0 ? name : apr_pstrcat(s->web.r->pool, name, ", or", NULL),
                  url_at(s, place, suffix));
        if (place->host != s->web.r->server) {
            pxr_html_put(&s->web.html,
                         "<dd>It stands in another virtual host (<code>%s:%u</code>): put the "
                         "name and port under which that one is reached.</dd>\n",
                         place->host->defn_name != NULL ? place->host->defn_name : "httpd.conf",
                         place->host->defn_line_number);
        }
    }
}

static void say_missing(const setup_t *s, const char *handler)
{
    pxr_html_put(&s->web.html,
                 "<p>No <code>&lt;Location&gt;</code> of this workspace has "
                 "<code>SetHandler %s</code>: take the section from the examples.</p>\n",
                 handler);
}

static pxr_time_t seen_at(const setup_t *s, pxr_seen_t what)
{
    return pxr_store_seen_at(s->web.call->store, s->workspace->number, what);
}

/* What works counts, however it came to be. */
static tick_t tick_of(const apr_array_header_t *places, pxr_time_t seen)
{
    return seen != 0 ? SEEN : places->nelts > 0 ? UNSEEN : MISSING;
}

static void warn_lengths(const setup_t *s, const apr_array_header_t *places, const char *suffix)
{
    for (int i = 0; i < places->nelts; i++) {
        if (strlen(url_at(s, &APR_ARRAY_IDX(places, i, pxr_section_t), suffix)) >
            INFINITY_URL_MAX) {
            say(s, "Infinity takes URLs of at most 255 characters: choose a shorter path.");
        }
    }
    if (s->workspace->secret != NULL && strlen(s->workspace->secret) > INFINITY_SECRET_MAX) {
        say(s, "Infinity takes passwords of at most 100 characters: choose a shorter one.");
    }
}

static void policy_step(setup_t *s)
{
    const char *handler = "pexip-rc-policy";
    const apr_array_header_t *places = pxr_sections(s->web.r, s->workspace, handler, "/policy/v1");
    pxr_time_t seen = seen_at(s, PXR_SEEN_POLICY);
    pxr_asker_t askers[NODES_ASKED];
    size_t count = pxr_store_askers(s->web.call->store, s->workspace->number, askers, NODES_ASKED);

    begin_step(s, "Policy profile: Call control > Policy profiles", tick_of(places, seen));
    if (places->nelts == 0) {
        say_missing(s, handler);
    }
    begin_values(s);
    put_places(s, places, "URL", "");
    put_account(s);
    put_choice(s, "Switches",
               apr_pstrcat(s->web.r->pool, "on: service configuration",
                           s->workspace->location_count > 0 ? ", media location" : "",
                           s->workspace->fallback_count > 0
                               ? ", and what your other policy servers answer"
                               : "; everything else off",
                           NULL));
    end_values(s);
    warn_lengths(s, places, "");
    if (count > 0) {
        pxr_html_put(&s->web.html, "<p class=\"soft\">Node <bdi>%s</bdi> asked ", askers[0].node);
        pxr_web_put_time(&s->web, askers[0].asked_at);
        pxr_html_put(&s->web.html, "</p>\n");
    }
    end_step(s);
}

/* The node whose event came last, NULL for none. */
static const pxr_node_t *last_node(const pxr_status_page_t *page)
{
    const pxr_node_t *last = NULL;

    for (size_t i = 0; i < page->node_count; i++) {
        if (last == NULL || page->nodes[i].publisher.last_at > last->publisher.last_at) {
            last = &page->nodes[i];
        }
    }
    return last;
}

static void events_step(setup_t *s, const pxr_status_page_t *page)
{
    const char *handler = "pexip-rc-events";
    const apr_array_header_t *places = pxr_sections(s->web.r, s->workspace, handler, "/events");
    const pxr_node_t *node = last_node(page);

    begin_step(s, "Event sink: System > Event sinks", tick_of(places, seen_at(s, PXR_SEEN_EVENTS)));
    if (places->nelts == 0) {
        say_missing(s, handler);
    }
    begin_values(s);
    put_places(s, places, "URL", "/events");
    put_account(s);
    put_choice(s, "Version", "2");
    put_choice(s, "Bulk support", "on, where there is such a switch");
    put_choice(s, "Verify TLS certificate", "on");
    end_values(s);
    warn_lengths(s, places, "/events");
    if (node != NULL) {
        pxr_html_put(&s->web.html, "<p class=\"soft\">Node <bdi>%s</bdi> sent an event",
                     node->node);
        if (node->publisher.version != 0) {
            pxr_html_put(&s->web.html, " of version %u", node->publisher.version);
        }
        pxr_html_put(&s->web.html, " ");
        pxr_web_put_time(&s->web, node->publisher.last_at);
        pxr_html_put(&s->web.html, "</p>\n");
    }
    end_step(s);
}

/* What the others of this section do by hand. */
static void command_step(setup_t *s)
{
    const pxr_workspace_t *w = s->workspace;

    begin_step(s, "All of this by one command", OTHERWISE);
    begin_values(s);
    put_value(s, "Shows what it would change on Infinity; --help tells the rest",
              apr_pstrcat(s->web.r->pool, "pexip-rc-setup --node MANAGEMENT-NODE --site ",
                          w->site_url, w->credentials_file != NULL ? " --credentials " : "",
                          w->credentials_file != NULL ? w->credentials_file : "",
                          " --location LOCATION", NULL));
    end_values(s);
    end_step(s);
}

static void locations_step(const setup_t *s)
{
    begin_step(s, "Locations: Platform > Locations", HIDDEN);
    say(s, "Give the policy profile to the locations whose nodes take the calls, and the event "
           "sink to every location whose nodes may host them, overflow locations included. A "
           "change takes about a minute to reach all nodes.");
    end_step(s);
}

static void theme_step(setup_t *s)
{
    const char *theme = s->workspace->answer.theme;

    begin_step(s, "Theme: Services > Themes", theme != NULL ? HIDDEN : OPTIONAL);
    if (theme != NULL) {
        begin_values(s);
        put_value(s, "Name", theme);
        end_values(s);
        say(s, "Where Infinity has no theme of this name it uses its default theme.");
    } else {
        say(s, PXR_D_THEME " is none: Infinity uses its default theme.");
    }
    end_step(s);
}

/* What a chat beside the call needs on both sides. */
static void chat_step(setup_t *s)
{
    const pxr_workspace_t *w = s->workspace;
    const apr_array_header_t *places = pxr_sections(s->web.r, w, "pexip-rc-chat", "/chat");
    pxr_time_t seen = seen_at(s, PXR_SEEN_CHAT);
    bool wanted = w->persistent_chat || w->scheduled_room != NULL;

    begin_step(s, "Chat beside the call", seen != 0 ? SEEN : wanted ? UNSEEN : OPTIONAL);
    if (!wanted) {
        say(s, PXR_D_CHAT " On makes a chat for each meeting.");
    }
    begin_values(s);
    put_value(s,
              "Infinity, Platform > Global settings > Security: add to frame-src and connect-src "
              "of the content security policy",
              w->site_url);
    put_places(s, places, "Address that the plugin asks", "/chat");
    put_value(s,
              "httpd, for Rocket.Chat's rooms in the embedded layout, see the example "
              "persistent-chat.conf",
              apr_psprintf(s->web.r->pool,
                           "Header always append Content-Security-Policy \"frame-ancestors 'self' "
                           "%s\"",
                           w->base_url));
    put_value(
        s, "Infinity, Web App > Web App Branding: the package that this makes",
        apr_pstrcat(
            s->web.r->pool, "make plugin RC=", w->site_url, places->nelts > 0 ? " ENDPOINT=" : "",
            places->nelts > 0 ? url_at(s, &APR_ARRAY_IDX(places, 0, pxr_section_t), "/chat") : "",
            NULL));
    end_values(s);
    say_when(s, "The plugin asked for a chat", seen);
    end_step(s);
}

static void branding_step(setup_t *s)
{
    if (s->workspace->branding == NULL) {
        return;
    }
    begin_step(s, "Web app path: Web App > Web App Paths", HIDDEN);
    begin_values(s);
    put_value(s, "Path", s->workspace->branding);
    end_values(s);
    end_step(s);
}

static void posting_step(setup_t *s, const pxr_status_page_t *page)
{
    const pxr_workspace_t *w = s->workspace;
    const pxr_chat_health_t *health = &page->chat->health;

    begin_step(s, "The user that posts: Workspace > Users",
               w->rest_user == NULL   ? OPTIONAL
               : health->failing != 0 ? MISSING
               : health->ok_at != 0   ? SEEN
                                      : UNSEEN);
    say(s, "A user of its own, with the role bot and the permission api-bypass-rate-limit; for "
           "chats beside the calls start-discussion, add-user-to-any-c-room and "
           "add-user-to-any-p-room besides. Add it to private rooms that shall have meetings. Its "
           "personal access token must ignore two factor authentication.");
    begin_values(s);
    if (w->rest_user != NULL) {
        put_value(s, "User id, first line of the file", w->rest_user);
        put_secret(s, "Token", "second line", w->rest_credentials_file);
    } else {
        put_choice(s, "User id and token",
                   "two lines of the file that " PXR_D_REST_CREDENTIALS
                   " names; without it nothing is posted");
    }
    put_choice(s, "Rocket.Chat is asked at", w->rest_url);
    end_values(s);
    if (health->failing != 0) {
        pxr_html_put(&s->web.html, "<p>Rocket.Chat says: <q><bdi>%s</bdi></q></p>\n", health->why);
    }
    say_when(s, "Worked as this user", health->ok_at);
    end_step(s);
}

static void webhook_step(setup_t *s)
{
    const char *handler = "pexip-rc-webhook";
    const apr_array_header_t *places = pxr_sections(s->web.r, s->workspace, handler, "/webhook");
    pxr_time_t seen = seen_at(s, PXR_SEEN_WEBHOOK);
    bool set_up = s->workspace->webhook_token != NULL;

    begin_step(s, "Outgoing webhook: Workspace > Integrations > New > Outgoing",
               set_up || seen != 0 ? tick_of(places, seen) : OPTIONAL);
    if (set_up && places->nelts == 0) {
        say_missing(s, handler);
    }
    begin_values(s);
    put_choice(s, "Event", "Message sent");
    put_value(s, "Channels", "all_public_channels,all_private_groups,all_direct_messages");
    put_value(s, "Trigger words, or any other that you like", "!pexip");
    put_places(s, places, "URL", "/webhook");
    put_choice(s, "Post as", "the user that posts");
    if (set_up) {
        put_secret(s, "Token", "line", s->workspace->webhook_token_file);
    } else {
        put_choice(s, "Token",
                   "the line of the file that " PXR_D_WEBHOOK_TOKEN
                   " names; without it the webhook is refused");
    }
    end_values(s);
    say_when(s, "Heard", seen);
    end_step(s);
}

static void app_step(setup_t *s, const apr_array_header_t *places)
{
    const pxr_workspace_t *w = s->workspace;
    pxr_time_t created = seen_at(s, PXR_SEEN_CREATION);
    pxr_time_t told = seen_at(s, PXR_SEEN_CALLBACK);

    begin_step(s, "Companion app: Marketplace > Private apps",
               told != 0                 ? SEEN
               : w->callback_url == NULL ? OPTIONAL
                                         : tick_of(places, 0));
    begin_values(s);
    put_places(s, places, "Address of the module", "");
    put_choice(s, "User and password",
               "of a user who may use GET and POST below api/v1/meetings, see the app's README");
    if (w->callback_url != NULL) {
        put_secret(s, "Callback secret", "line", w->callback_secret_file);
        put_choice(s, "The end of a call is told at", w->callback_url);
    } else {
        put_choice(s, "Callback secret", "the line of the file that " PXR_D_CALLBACK " names");
    }
    end_values(s);
    say_when(s, "A meeting was made by the API", created);
    say_when(s, "The app took the end of a call", told);
    end_step(s);
}

/* Of a URL: what follows the origin. */
static const char *path_of(const char *url)
{
    const char *host = strstr(url, "://");
    const char *path = host != NULL ? strchr(host + 3, '/') : NULL;

    return path != NULL ? path : "";
}

static bool is_on_site(const pxr_workspace_t *w)
{
    size_t len = strlen(w->site_url);

    return strncmp(w->join_url, w->site_url, len) == 0 &&
           (w->join_url[len] == '\0' || w->join_url[len] == '/');
}

static bool leads_to_section(const setup_t *s, const apr_array_header_t *places)
{
    for (int i = 0; i < places->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(places, i, pxr_section_t).prefix,
                   path_of(s->workspace->join_url)) == 0) {
            return true;
        }
    }
    return false;
}

static void join_step(setup_t *s)
{
    const pxr_workspace_t *w = s->workspace;
    const apr_array_header_t *places = pxr_sections(s->web.r, w, "pexip-rc-join", "/join");
    pxr_time_t seen = seen_at(s, PXR_SEEN_JOIN);
    bool leads = leads_to_section(s, places);

    begin_step(s, "Join links", seen != 0 ? SEEN : leads ? UNSEEN : MISSING);
    begin_values(s);
    put_value(s, PXR_D_JOIN_URL, w->join_url);
    end_values(s);
    say(s, is_on_site(w)
               ? "They lead to the workspace's own address, so that people are recognised by their "
                 "session in Rocket.Chat."
               : "They do not lead to the workspace's own address, so nobody is recognised by his "
                 "session in Rocket.Chat: only the personal link makes a host.");
    if (strncmp(w->join_url, "https://", 8) != 0) {
        say(s, "They carry keys, and are not protected by HTTPS.");
    }
    if (!leads) {
        say(s, "No section of this workspace with SetHandler pexip-rc-join is at this address.");
    }
    say_when(s, "Somebody followed one", seen);
    end_step(s);
}

/* What anybody can do to a server that people reach. */
static void timeout_step(const setup_t *s)
{
    if (ap_find_linked_module("mod_reqtimeout.c") == NULL) {
        begin_step(s, "Requests that never end: mod_reqtimeout", MISSING);
        say(s, "It is not loaded, so anybody can hold workers of this server by requests of which "
               "the rest never comes. On Debian: a2enmod reqtimeout, and a restart.");
        end_step(s);
    }
}

static void scheduling_step(setup_t *s, const apr_array_header_t *places)
{
    static const char *const kinds[][2] = {{"Single-use VMR joining instructions", "single-use"},
                                           {"Personal VMR joining instructions", "personal"}};

    begin_step(s, "Outlook: Secure Scheduler for Exchange", HIDDEN);
    if (places->nelts == 0) {
        say_missing(s, "pexip-rc-api");
    }
    begin_values(s);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && places->nelts > 0; i++) {
        put_value(s, apr_pstrcat(s->web.r->pool, kinds[i][0], ", the template is at", NULL),
                  url_at(s, &APR_ARRAY_IDX(places, 0, pxr_section_t),
                         apr_pstrcat(s->web.r->pool, "/api/v1/scheduling/template?kind=",
                                     kinds[i][1], "&link=go", NULL)));
    }
    put_places(s, pxr_sections(s->web.r, s->workspace, "pexip-rc-go", "/go"),
               "Short links begin with", "/go/");
    end_values(s);
    end_step(s);
}

static void begin_section(const setup_t *s, const char *id, const char *title)
{
    pxr_html_put(&s->web.html,
                 "<section id=\"%s\" aria-labelledby=\"%s-title\">\n"
                 "<h2 id=\"%s-title\">%s</h2>\n<ol>\n",
                 id, id, id, title);
}

static void end_section(const setup_t *s)
{
    pxr_html_put(&s->web.html, "</ol>\n</section>\n");
}

static void put_unseen(const setup_t *s)
{
    pxr_html_put(
        &s->web.html,
        "<section aria-labelledby=\"hidden-title\">\n"
        "<h2 id=\"hidden-title\">What cannot be seen from here</h2>\n<ul>\n"
        "<li>whether the event sink is at every location that hosts calls</li>\n"
        "<li>whether Infinity has the theme and the web app path</li>\n"
        "<li>which content security policy the nodes send</li>\n"
        "<li>whether nodes and Rocket.Chat trust the certificate of this server: what they "
        "do not trust never comes here</li>\n"
        "<li>whether browsers reach <bdi>%s</bdi></li>\n</ul>\n</section>\n",
        s->workspace->base_url);
}

int pxr_setup_page(request_rec *r, const pxr_call_t *call)
{
    setup_t s = {.workspace = call->workspace};
    const apr_array_header_t *api = pxr_sections(r, call->workspace, "pexip-rc-api", "/api/v1");
    pxr_status_page_t page;

    if (!pxr_web_begin(&s.web, r, call, PXR_WEB_SETUP)) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    pxr_status_fill(r, call, &page);
    pxr_html_put(&s.web.html,
                 "<h1>Set-up</h1>\n<p>What to paste where, for this server. Secrets are "
                 "never shown. Parts are ticked off when they were seen working.</p>\n");
    begin_section(&s, "infinity", "On Pexip Infinity");
    command_step(&s);
    policy_step(&s);
    events_step(&s, &page);
    locations_step(&s);
    theme_step(&s);
    branding_step(&s);
    chat_step(&s);
    scheduling_step(&s, api);
    end_section(&s);
    begin_section(&s, "rocketchat", "In Rocket.Chat");
    posting_step(&s, &page);
    webhook_step(&s);
    app_step(&s, api);
    end_section(&s);
    begin_section(&s, "people", "For people");
    join_step(&s);
    timeout_step(&s);
    end_section(&s);
    put_unseen(&s);
    return pxr_web_end(&s.web);
}
