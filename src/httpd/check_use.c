#include "check.h"

#include <apr_strings.h>
#include <http_main.h>
#include <util_cfgtree.h>

/*
 * Warnings of configtest: what httpd accepts and what would not do what it was written for. They
 * need the sections as they are written, so the tree of directives is walked. At a start nothing of
 * it is said: a site may have its reasons, and its log is not the place to repeat them.
 */

/* A section that sets one of our handlers. */
typedef struct {
    const char *handler;
    const char *path; /* NULL: a pattern, whose addresses are not known */
    const char *place;
    const server_rec *host;
    const char *passwords; /* AuthUserFile, NULL for none */
    const char *passwords_place;
    bool asks;     /* httpd is told how to ask who it is */
    bool requires; /* and that somebody is wanted */
    bool limited;  /* to some, whoever they are */
    bool anonymous;
    bool guarded; /* by a certificate */
    bool misplaced;
    bool our_provider;
} use_t;

typedef struct {
    apr_pool_t *pool;
    server_rec *main;
    apr_array_header_t *uses; /* use_t */
} tour_t;

static const char *place_of(apr_pool_t *p, const ap_directive_t *node)
{
    return apr_psprintf(p, "%s:%d", node->filename, node->line_num);
}

static bool is(const ap_directive_t *node, const char *name)
{
    return strcasecmp(node->directive, name) == 0;
}

static const char *first_word(apr_pool_t *p, const char *args)
{
    const char *at = args != NULL ? args : "";

    return ap_getword_conf(p, &at);
}

static const ap_directive_t *find_last(const ap_directive_t *node, const char *name)
{
    const ap_directive_t *found = NULL;

    for (; node != NULL; node = node->next) {
        const ap_directive_t *inside = find_last(node->first_child, name);
        if (inside != NULL || is(node, name)) {
            found = inside != NULL ? inside : node;
        }
    }
    return found;
}

const char *pxr_directive_place(apr_pool_t *p, const char *name)
{
    const ap_directive_t *node = find_last(ap_conftree, name);

    return node != NULL ? place_of(p, node) : "its default";
}

void pxr_check_warn(apr_pool_t *p, const server_rec *main, const char *name, const char *why,
                    const char *place)
{
    ap_log_error(APLOG_MARK, APLOG_WARNING | APLOG_STARTUP, 0, main, "PXR1060: %s: %s (%s)", name,
                 why, place != NULL ? place : pxr_directive_place(p, name));
}

static void warn(const tour_t *tour, const char *name, const char *why, const char *place)
{
    pxr_check_warn(tour->pool, tour->main, name, why, place);
}

/* Finding the sections. */

/* The virtual host that begins at this line. */
static const server_rec *host_of(const tour_t *tour, const ap_directive_t *node)
{
    for (const server_rec *s = tour->main->next; s != NULL; s = s->next) {
        if (s->defn_name != NULL && strcmp(s->defn_name, node->filename) == 0 &&
            s->defn_line_number == (unsigned)node->line_num) {
            return s;
        }
    }
    return tour->main;
}

/* The address of a <Location>, NULL for a pattern; "" for other sections. */
static const char *path_of(apr_pool_t *p, const ap_directive_t *section)
{
    const char *args = section->args != NULL ? section->args : "";
    const char *path;
    char *end;

    if (is(section, "<LocationMatch")) {
        return NULL;
    }
    if (!is(section, "<Location")) {
        return "";
    }
    path = ap_getword_conf(p, &args);
    end = strrchr(path, '>');
    if (end != NULL && end[1] == '\0') {
        *end = '\0';
    }
    return path[0] == '~' || ap_is_matchexp(path) ? NULL : path;
}

static bool wants_certificate(apr_pool_t *p, const ap_directive_t *node)
{
    return is(node, "SSLVerifyClient") && strcasecmp(first_word(p, node->args), "none") != 0;
}

static bool allows_anonymous(apr_pool_t *p, const ap_directive_t *node)
{
    return is(node, PXR_D_ANONYMOUS) && strcasecmp(first_word(p, node->args), "on") == 0;
}

/* Whether this can be true of somebody known only: httpd asks nobody for what is true anyway. */
static bool requires_somebody(apr_pool_t *p, const ap_directive_t *node)
{
    static const char *const others[] = {"all", "ip",     "host", "forward-dns",
                                         "env", "method", "not",  "local"};
    const char *what = is(node, "Require") ? first_word(p, node->args) : "all";

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcasecmp(what, others[i]) == 0) {
            return false;
        }
    }
    return true;
}

static bool names_our_provider(const ap_directive_t *node)
{
    return is(node, "AuthBasicProvider") && ap_strcasestr(node->args, "pexip-rc") != NULL;
}

/* Whether a section is about files, which addresses of ours do not lead to. */
static bool is_of_files(const ap_directive_t *section)
{
    return strncasecmp(section->directive, "<Directory", 10) == 0 ||
           strncasecmp(section->directive, "<Files", 6) == 0;
}

/* What a section, and sections inside it, say. */
static void look_into(apr_pool_t *p, const ap_directive_t *node, use_t *use)
{
    for (; node != NULL; node = node->next) {
        use->guarded = use->guarded || wants_certificate(p, node);
        use->anonymous = use->anonymous || allows_anonymous(p, node);
        use->requires = use->requires || requires_somebody(p, node);
        use->limited = use->limited ||
                       (is(node, "Require") && strcasecmp(first_word(p, node->args), "all") != 0);
        if (is(node, "AuthType")) {
            use->asks = use->asks || strcasecmp(first_word(p, node->args), "none") != 0;
        } else if (is(node, "AuthUserFile") && use->passwords == NULL) {
            use->passwords = ap_server_root_relative(p, first_word(p, node->args));
            use->passwords_place = place_of(p, node);
        }
        use->our_provider = use->our_provider || names_our_provider(node);
        if (node->first_child != NULL && !is(node, "<VirtualHost") && !is(node, "<Location") &&
            !is(node, "<LocationMatch") && !is_of_files(node)) {
            look_into(p, node->first_child, use);
        }
    }
}

static bool covers(const char *outer, const char *inner)
{
    size_t len = strlen(outer);

    while (len > 0 && outer[len - 1] == '/') {
        len--;
    }
    return strncmp(outer, inner, len) == 0 && (inner[len] == '\0' || inner[len] == '/');
}

/* Sections of the same level that the section's address is in, or that may be. */
static void look_around(apr_pool_t *p, const ap_directive_t *first, use_t *use)
{
    for (const ap_directive_t *node = first; node != NULL; node = node->next) {
        const char *path = node->first_child != NULL ? path_of(p, node) : "";
        if (path == NULL || use->path == NULL || (path[0] == '/' && covers(path, use->path))) {
            look_into(p, node->first_child, use);
        }
    }
}

static const ap_directive_t *first_of(const ap_directive_t *node)
{
    return node->parent != NULL ? node->parent->first_child : ap_conftree;
}

static void note_use(tour_t *tour, const ap_directive_t *node, const char *handler,
                     const server_rec *host)
{
    use_t use = {.handler = handler, .path = "", .place = place_of(tour->pool, node), .host = host};

    for (const ap_directive_t *at = node; at != NULL; at = at->parent) {
        if (at->parent != NULL && use.path != NULL && use.path[0] == '\0') {
            use.path = path_of(tour->pool, at->parent);
        }
        use.misplaced = use.misplaced || (at->parent != NULL && is_of_files(at->parent));
        look_into(tour->pool, first_of(at), &use);
        look_around(tour->pool, first_of(at), &use);
    }
    APR_ARRAY_PUSH(tour->uses, use_t) = use;
}

static void walk(tour_t *tour, const ap_directive_t *node, const server_rec *host)
{
    for (; node != NULL; node = node->next) {
        const char *handler = is(node, "SetHandler") ? first_word(tour->pool, node->args) : "";
        if (strncmp(handler, "pexip-rc-", 9) == 0 && pxr_is_handler(handler)) {
            note_use(tour, node, handler, host);
        } else if (strncasecmp(handler, "pexip-rc", 8) == 0 ||
                   strncmp(handler, "pexip_rc", 8) == 0) {
            warn(tour, "SetHandler",
                 apr_psprintf(tour->pool, "'%s' is no handler of this module, must be one of: %s",
                              handler, pxr_handler_names(tour->pool)),
                 place_of(tour->pool, node));
        }
        walk(tour, node->first_child, is(node, "<VirtualHost") ? host_of(tour, node) : host);
    }
}

/* Judging them. */

static pxr_workspace_t *workspace_of(const server_rec *host)
{
    const pxr_server_conf_t *conf = ap_get_module_config(host->module_config, &pexip_rc_module);

    return conf->workspace;
}

/* A virtual host inherits the sections of the main server. */
static bool serves(const use_t *use, const pxr_workspace_t *w, const server_rec *main)
{
    if (workspace_of(use->host) == w) {
        return true;
    }
    for (const server_rec *s = main->next; s != NULL && use->host == main; s = s->next) {
        if (workspace_of(s) == w) {
            return true;
        }
    }
    return false;
}

static bool has(const tour_t *tour, const pxr_workspace_t *w, const char *handler)
{
    for (int i = 0; i < tour->uses->nelts; i++) {
        const use_t *use = &APR_ARRAY_IDX(tour->uses, i, use_t);
        if (serves(use, w, tour->main) && strcmp(use->handler, handler) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_in_some_workspace(const tour_t *tour, const use_t *use)
{
    for (int i = 0; i < pxr_workspaces->nelts; i++) {
        if (serves(use, APR_ARRAY_IDX(pxr_workspaces, i, pxr_workspace_t *), tour->main)) {
            return true;
        }
    }
    return false;
}

static void judge_guard(const tour_t *tour, const use_t *use)
{
    if (use->anonymous && !use->limited && !use->guarded) {
        warn(tour, PXR_D_ANONYMOUS,
             apr_psprintf(tour->pool,
                          "opens '%s' to everybody who reaches this server: add Require ip with "
                          "the addresses that it is for",
                          use->handler),
             use->place);
    }
    if (!use->guarded && !use->anonymous && !(use->asks && use->requires)) {
        warn(
            tour, "SetHandler",
            apr_psprintf(tour->pool,
                         "'%s' answers nobody, because nobody has to prove who he is: add AuthType "
                         "Basic and Require valid-user, or guard the section by Require ip and "
                         "add " PXR_D_ANONYMOUS " On",
                         use->handler),
            use->place);
    }
}

/* Each file once. */
static void judge_passwords(const tour_t *tour, int which)
{
    const use_t *use = &APR_ARRAY_IDX(tour->uses, which, use_t);
    const char *why;

    if (use->passwords == NULL) {
        return;
    }
    for (int i = 0; i < which; i++) {
        const char *other = APR_ARRAY_IDX(tour->uses, i, use_t).passwords;
        if (other != NULL && strcmp(other, use->passwords) == 0) {
            return;
        }
    }
    why = pxr_check_why_closed(tour->pool, use->passwords, false);
    if (why != NULL) {
        warn(tour, "AuthUserFile",
             apr_psprintf(tour->pool,
                          "'%s' %s: make it by htpasswd -B, owned by root and the group of that "
                          "user, chmod 640",
                          use->passwords, why),
             use->passwords_place);
    }
}

/* Of two sections for one address the last one counts. */
static void judge_double(const tour_t *tour, int first)
{
    const use_t *a = &APR_ARRAY_IDX(tour->uses, first, use_t);

    for (int i = first + 1; i < tour->uses->nelts; i++) {
        const use_t *b = &APR_ARRAY_IDX(tour->uses, i, use_t);
        if (a->host == b->host && a->path != NULL && b->path != NULL && a->path[0] == '/' &&
            covers(a->path, b->path) && covers(b->path, a->path) &&
            strcmp(a->handler, b->handler) != 0) {
            warn(tour, "SetHandler",
                 apr_psprintf(tour->pool,
                              "'%s' takes the place of '%s' (%s), because both are for %s: give "
                              "each an address of its own",
                              b->handler, a->handler, a->place, b->path),
                 b->place);
        }
    }
}

/* httpd takes the first virtual host that has the address and the name of a request. */
static bool is_hidden_by(const server_rec *s, const server_rec *before)
{
    return s->server_hostname != NULL && before->server_hostname != NULL && s->addrs != NULL &&
           before->addrs != NULL && strcasecmp(s->server_hostname, before->server_hostname) == 0 &&
           strcmp(s->addrs->virthost, before->addrs->virthost) == 0 &&
           s->addrs->host_port == before->addrs->host_port;
}

static void judge_host_names(const tour_t *tour)
{
    for (const server_rec *s = tour->main->next; s != NULL; s = s->next) {
        for (const server_rec *v = tour->main->next; v != s && workspace_of(s) != NULL;
             v = v->next) {
            if (is_hidden_by(s, v) && workspace_of(v) != workspace_of(s)) {
                warn(tour, "<VirtualHost>",
                     apr_psprintf(tour->pool,
                                  "is never reached, because the one at %s:%u has the same address "
                                  "and the same ServerName %s: give each a name of its own",
                                  v->defn_name, v->defn_line_number, s->server_hostname),
                     apr_psprintf(tour->pool, "%s:%u", s->defn_name, s->defn_line_number));
            }
        }
    }
}

static void judge_use(tour_t *tour, const use_t *use)
{
    const pxr_workspace_t *w = workspace_of(use->host);

    if (!is_in_some_workspace(tour, use)) {
        warn(tour, "SetHandler",
             apr_psprintf(tour->pool,
                          "'%s' belongs to no workspace and answers 500: set " PXR_D_SITE_URL
                          " and " PXR_D_BASE_URL " in this virtual host",
                          use->handler),
             use->place);
    }
    if (use->misplaced) {
        warn(tour, "SetHandler",
             apr_psprintf(tour->pool,
                          "'%s' is not reached in a section about files: put it into a <Location>",
                          use->handler),
             use->place);
    }
    if (pxr_handler_is_protected(use->handler)) {
        judge_guard(tour, use);
    }
    if (use->our_provider && w != NULL && w->credentials_file == NULL) {
        warn(tour, "AuthBasicProvider",
             "'pexip-rc' lets nobody in without " PXR_D_CREDENTIALS " in this workspace",
             use->place);
    }
    if (strcmp(use->handler, "pexip-rc-webhook") == 0 && w != NULL &&
        w->webhook_token_file == NULL) {
        warn(tour, "SetHandler", "'pexip-rc-webhook' answers 500 without " PXR_D_WEBHOOK_TOKEN,
             use->place);
    }
}

static const char *path_in(const char *url)
{
    const char *host = strstr(url, "://");
    const char *path = host != NULL ? strchr(host + 3, '/') : NULL;

    return path != NULL ? path : "";
}

/* Whether links to meetings lead to a section of ours. */
static bool join_is_reached(const tour_t *tour, const pxr_workspace_t *w)
{
    const char *wanted = apr_pstrcat(tour->pool, path_in(w->join_url), "/join/x", NULL);

    for (int i = 0; i < tour->uses->nelts; i++) {
        const use_t *use = &APR_ARRAY_IDX(tour->uses, i, use_t);
        if (serves(use, w, tour->main) && strcmp(use->handler, "pexip-rc-join") == 0 &&
            (use->path == NULL || covers(use->path, wanted))) {
            return true;
        }
    }
    return false;
}

static void judge_handlers(tour_t *tour, const pxr_workspace_t *w)
{
    static const struct {
        const char *handler;
        const char *without;
    } needed[] = {{"pexip-rc-policy", "Conferencing Nodes know no meeting"},
                  {"pexip-rc-events", "no meeting is seen to begin or to end"},
                  {"pexip-rc-join", "links to meetings lead nowhere"}};

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (!has(tour, w, needed[i].handler)) {
            warn(tour, PXR_D_SITE_URL,
                 apr_psprintf(tour->pool, "'%s': no <Location> sets the handler %s, so %s",
                              w->site_url, needed[i].handler, needed[i].without),
                 w->place[PXR_SET_SITE_URL]);
        }
    }
    if (!has(tour, w, "pexip-rc-api") && !has(tour, w, "pexip-rc-webhook")) {
        warn(tour, PXR_D_SITE_URL,
             apr_psprintf(tour->pool,
                          "'%s': no <Location> sets the handler pexip-rc-api or pexip-rc-webhook, "
                          "so nobody can start a meeting",
                          w->site_url),
             w->place[PXR_SET_SITE_URL]);
    }
    if (has(tour, w, "pexip-rc-join") && !join_is_reached(tour, w)) {
        warn(tour, PXR_D_JOIN_URL,
             apr_psprintf(tour->pool,
                          "'%s' and /join/ lead to no section that sets the handler pexip-rc-join: "
                          "set it to the address in front of that section",
                          w->join_url),
             w->place[PXR_SET_JOIN_URL]);
    }
}

static void judge_chat(tour_t *tour, const pxr_workspace_t *w)
{
    if (w->webhook_token_file != NULL && !has(tour, w, "pexip-rc-webhook")) {
        warn(tour, PXR_D_WEBHOOK_TOKEN,
             "is of no use while no <Location> sets the handler pexip-rc-webhook",
             w->place[PXR_SET_WEBHOOK_TOKEN]);
    }
    if (w->scheduled_room != NULL && !has(tour, w, "pexip-rc-chat")) {
        warn(tour, PXR_D_SCHEDULED,
             "is of no use while no <Location> sets the handler pexip-rc-chat",
             w->place[PXR_SET_SCHEDULED]);
    }
    if (w->persistent_chat && !has(tour, w, "pexip-rc-chat")) {
        warn(tour, PXR_D_CHAT,
             "makes chats that nobody sees beside the call while no <Location> sets the handler "
             "pexip-rc-chat",
             w->place[PXR_SET_CHAT]);
    }
}

/* Guests of a locked meeting wait for a host. Sessions of Rocket.Chat come to its own origin only;
 * elsewhere it takes a personal link, which the API hands out, or the user who posts for us. */
static void judge_host(tour_t *tour, const pxr_workspace_t *w)
{
    size_t len = strlen(w->site_url);
    bool same = strncmp(w->join_url, w->site_url, len) == 0 &&
                (w->join_url[len] == '/' || w->join_url[len] == '\0');
    bool linked = has(tour, w, "pexip-rc-api") || w->rest_credentials_file != NULL;

    if (w->answer.locked && w->pins != PXR_PINS_NONE && has(tour, w, "pexip-rc-join") && !same &&
        !linked) {
        warn(tour, PXR_D_LOCKED,
             apr_psprintf(tour->pool,
                          "nobody can become host of a locked meeting: browsers send no session to "
                          "'%s', and there are no personal links without " PXR_D_REST_CREDENTIALS
                          " or the handler pexip-rc-api; set " PXR_D_JOIN_URL " below '%s', or "
                          "this to Off",
                          w->join_url, w->site_url),
             w->place[PXR_SET_LOCKED] != NULL ? w->place[PXR_SET_LOCKED]
                                              : w->place[PXR_SET_JOIN_URL]);
    }
}

static void judge_values(tour_t *tour, const pxr_workspace_t *w)
{
    double numbers = 1;

    if (strcmp(w->base_url, w->site_url) == 0) {
        warn(tour, PXR_D_BASE_URL,
             apr_psprintf(tour->pool,
                          "'%s' is " PXR_D_SITE_URL " as well, must be the address of the "
                          "Conferencing Nodes, unless this server leads to them",
                          w->base_url),
             w->place[PXR_SET_BASE_URL]);
    }
    if (w->place[PXR_SET_GRACE] != NULL && w->silence < w->grace) {
        warn(tour, PXR_D_GRACE,
             "the second time should not be shorter than the first: it is for nodes that never say "
             "that a meeting is over, such as 10s 60s",
             w->place[PXR_SET_GRACE]);
    }
    for (size_t i = 0; i < w->number_digits; i++) {
        numbers *= 10;
    }
    if (w->number_prefix != NULL && numbers < 10.0 * pxr_global.sizes.meetings) {
        warn(tour, PXR_D_NUMBER,
             apr_psprintf(tour->pool,
                          "%d random digits are few for " PXR_D_MEETINGS
                          " %u: numbers can be guessed and may run out, take more digits",
                          (int)w->number_digits, pxr_global.sizes.meetings),
             w->place[PXR_SET_NUMBER]);
    }
}

void pxr_check_use(apr_pool_t *p, server_rec *main)
{
    tour_t tour = {.pool = p, .main = main, .uses = apr_array_make(p, 8, sizeof(use_t))};

    walk(&tour, ap_conftree, main);
    for (int i = 0; i < tour.uses->nelts; i++) {
        judge_use(&tour, &APR_ARRAY_IDX(tour.uses, i, use_t));
        judge_double(&tour, i);
        judge_passwords(&tour, i);
    }
    judge_host_names(&tour);
    for (int i = 0; i < pxr_workspaces->nelts; i++) {
        const pxr_workspace_t *w = APR_ARRAY_IDX(pxr_workspaces, i, pxr_workspace_t *);
        judge_handlers(&tour, w);
        judge_chat(&tour, w);
        judge_host(&tour, w);
        judge_values(&tour, w);
    }
    if (pxr_workspaces->nelts > 0) {
        pxr_check_machine(p, main);
    }
}
