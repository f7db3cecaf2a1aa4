#include "status.h"

#include <apr_strings.h>

#include "pxr_random.h"

#define REFRESH_SECONDS "10"

/* Levels are told by words and signs as well as by colours. */
static const char style[] =
    ":root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1b1f24;--soft:#57606a;"
    "--line:#d0d7de;--good:#116329;--care:#7d4e00;--bad:#b3161b;--off:#57606a;--link:#0550ae;"
    "--goodback:#e6f6ea;--careback:#fff4d6;--badback:#ffebe9;--offback:#eef1f4}\n"
    "@media (prefers-color-scheme:dark){:root{--page:#0d1117;--card:#161b22;--ink:#e6edf3;"
    "--soft:#9aa4af;--line:#3a424c;--good:#6fdd8b;--care:#f0c04a;--bad:#ff8f87;--off:#9aa4af;"
    "--link:#79b8ff;--goodback:#12261a;--careback:#2b2210;--badback:#341a1b;--offback:#1d232b}}\n"
    "*{box-sizing:border-box}\n"
    "body{font:1rem/1.5 system-ui,sans-serif;margin:0;background:var(--page);color:var(--ink);"
    "overflow-wrap:anywhere}\n"
    "header,main,footer{max-width:64rem;margin:0 auto;padding:0 1rem}\n"
    "header{display:flex;flex-wrap:wrap;gap:.25rem 1.5rem;align-items:baseline;padding-top:1rem}\n"
    "header p{margin:0;font-weight:600}\n"
    "nav ul{display:flex;gap:1rem;list-style:none;margin:0;padding:0}\n"
    "nav a{display:inline-block;padding:.5rem 0}\n"
    "a{color:var(--link)}\n"
    "a[aria-current]{color:inherit;text-decoration-thickness:.15rem}\n"
    ":focus-visible{outline:.2rem solid var(--link);outline-offset:.1rem}\n"
    "h1{font-size:1.75rem;line-height:1.2;margin:1rem 0}\n"
    "h2{font-size:1.25rem;line-height:1.3;margin:2rem 0 .75rem}\n"
    "h3{font-size:1rem;margin:0 0 .25rem;display:flex;flex-wrap:wrap;gap:.25rem .75rem}\n"
    "p,ol,ul,dl{margin:.25rem 0}\n"
    "main section>ul,main section>ol{padding:0;list-style:none}\n"
    ".card{background:var(--card);border:1px solid var(--line);border-left:.4rem solid var(--off);"
    "border-radius:.4rem;padding:.75rem 1rem;margin:.5rem 0}\n"
    ".card.good{border-left-color:var(--good)}.card.care{border-left-color:var(--care)}"
    ".card.bad{border-left-color:var(--bad)}\n"
    ".word{font-weight:600;padding:0 .5rem;border-radius:.4rem;color:var(--off);"
    "background:var(--offback)}\n"
    ".word.good{color:var(--good);background:var(--goodback)}"
    ".word.care{color:var(--care);background:var(--careback)}"
    ".word.bad{color:var(--bad);background:var(--badback)}\n"
    "#verdict{padding:1rem;border-radius:.5rem;margin:1rem 0;background:var(--offback)}\n"
    "#verdict:has(.good){background:var(--goodback)}"
    "#verdict:has(.care){background:var(--careback)}"
    "#verdict:has(.bad){background:var(--badback)}\n"
    "#verdict h1{margin:0}#verdict p{margin:.5rem 0 0}#verdict h1.good{color:var(--good)}#verdict "
    "h1.care{color:var(--care)}"
    "#verdict h1.bad{color:var(--bad)}\n"
    ".soft{color:var(--soft)}\n"
    ".numbers{display:flex;flex-wrap:wrap;gap:.5rem;margin:0}\n"
    ".numbers div{background:var(--card);border:1px solid var(--line);border-radius:.4rem;"
    "padding:.5rem 1rem;flex:1 1 7rem}\n"
    ".numbers dt{color:var(--soft)}.numbers dd{margin:0;font-size:1.5rem;font-weight:600}\n"
    ".scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);"
    "border-radius:.4rem}\n"
    "table{border-collapse:collapse;width:100%;overflow-wrap:normal}\n"
    "caption{text-align:left;padding:.5rem .75rem;color:var(--soft)}\n"
    "th,td{text-align:left;vertical-align:top;padding:.4rem .75rem;border-top:1px solid "
    "var(--line)}td time{white-space:nowrap}\n"
    "button{font:inherit;padding:.4rem .8rem;min-height:2.75rem;border:1px solid var(--line);"
    "border-radius:.4rem;background:var(--offback);color:inherit;cursor:pointer}\n"
    "form{display:flex;flex-wrap:wrap;gap:.5rem;margin:.25rem 0}\n"
    "code{font:.95em/1.5 ui-monospace,monospace;background:var(--offback);padding:.1rem .3rem;"
    "border-radius:.25rem}\n"
    ".copy{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin:.25rem 0}\n"
    ".copy code{flex:1 1 14rem;padding:.5rem;user-select:all;-webkit-user-select:all;"
    "white-space:pre-wrap}\n"
    "dt{font-weight:600;margin-top:.5rem}dd{margin:0}.numbers dt{font-weight:400;margin:0}\n"
    "footer{color:var(--soft);padding-bottom:2rem;margin-top:2rem}\n"
    "@media (prefers-reduced-motion:no-preference){html{scroll-behavior:smooth}}\n";

/* Brings the parts of the page up to date that differ, but none in which somebody is: the focus and
 * what is selected stay. What cannot be read is said to be old. The head of the new page is left
 * out, because its style is not one that the policy of this one knows. */
static const char status_script[] =
    "(function(){'use strict';\n"
    "var stale=document.getElementById('stale');\n"
    "function busy(part){var s=getSelection();return part.contains(document.activeElement)||"
    "(!s.isCollapsed&&s.containsNode(part,true));}\n"
    "function show(text){var page=new "
    "DOMParser().parseFromString(text.slice(text.indexOf('<body>')),'text/html');\n"
    "if(!page.getElementById('verdict')){throw new Error();}\n"
    "stale.hidden=true;\n"
    "document.querySelectorAll('[data-fresh]').forEach(function(part){"
    "var next=page.getElementById(part.id);\n"
    "if(next&&next.innerHTML!==part.innerHTML&&!busy(part)){"
    "part.replaceChildren.apply(part,next.childNodes);}});}\n"
    "function look(){if(document.hidden){return;}\n"
    "fetch(location.pathname,{cache:'no-store',credentials:'same-origin',redirect:'error'})"
    ".then(function(answer){if(!answer.ok){throw new Error();}return answer.text();})"
    ".then(show).catch(function(){stale.hidden=false;});}\n"
    "if(location.search){history.replaceState(null,'',location.pathname);}\n"
    "setInterval(look," REFRESH_SECONDS "000);\n"
    "document.addEventListener('visibilitychange',look);\n"
    "})();";

/* Where the clipboard is closed to us the text is selected, and an older way tried. */
static const char setup_script[] =
    "(function(){'use strict';\n"
    "function mark(text){var range=document.createRange(),s=getSelection();"
    "range.selectNodeContents(text);s.removeAllRanges();s.addRange(range);}\n"
    "function say(button,word){button.textContent=word;"
    "setTimeout(function(){button.textContent='Copy';},2000);}\n"
    "document.querySelectorAll('button[data-copy]').forEach(function(button){\n"
    "var text=document.getElementById(button.dataset.copy);\n"
    "function other(){mark(text);"
    "say(button,document.execCommand('copy')?'Copied':'Selected');}\n"
    "button.hidden=false;\n"
    "button.addEventListener('click',function(){"
    "if(!navigator.clipboard){other();return;}\n"
    "navigator.clipboard.writeText(text.textContent).then(function(){say(button,'Copied');},other);"
    "});});\n"
    "})();";

static const struct {
    const char *title;
    const char *path;
    const char *script;
} pages[] = {
    [PXR_WEB_STATUS] = {"Status", "", status_script},
    [PXR_WEB_SETUP] = {"Set-up", "/setup", setup_script},
};

const char *pxr_web_base(request_rec *r, const pxr_call_t *call)
{
    size_t len = (size_t)(call->rest - r->uri);
    const char *path = apr_pstrmemdup(r->pool, r->uri, len);

    while (len > 0 && path[len - 1] == '/') {
        path = apr_pstrmemdup(r->pool, path, --len);
    }
    /* Two slashes in front would name a server. */
    while (path[0] == '/' && path[1] == '/') {
        path++;
    }
    return ap_os_escape_path(r->pool, path, 1);
}

static void write_text(void *context, const char *text, size_t len)
{
    apr_brigade_write(context, NULL, NULL, text, len);
}

/* Nothing from elsewhere, nothing inline that is not ours, no frame around it. */
static void set_headers(const pxr_web_t *web)
{
    apr_table_t *headers = web->r->headers_out;

    apr_table_setn(headers, "Content-Security-Policy",
                   apr_psprintf(web->r->pool,
                                "default-src 'none'; style-src 'nonce-%s'; script-src 'nonce-%s'; "
                                "connect-src 'self'; base-uri 'none'; form-action 'self'; "
                                "frame-ancestors 'none'",
                                web->nonce, web->nonce));
    apr_table_setn(headers, "X-Frame-Options", "DENY");
    apr_table_setn(headers, "Referrer-Policy", "no-referrer");
}

static void put_navigation(const pxr_web_t *web, pxr_web_page_t page)
{
    pxr_html_put(&web->html,
                 "<body>\n<header>\n<p><bdi>%s</bdi></p>\n"
                 "<nav aria-label=\"Pages\">\n<ul>\n",
                 web->call->workspace->site_url);
    for (int i = PXR_WEB_STATUS; i <= PXR_WEB_SETUP; i++) {
        pxr_html_put(&web->html, "<li><a href=\"%s%s\"", web->base, pages[i].path);
        pxr_html_put(&web->html, i == (int)page ? " aria-current=\"page\">" : ">");
        pxr_html_put(&web->html, "%s</a></li>\n", pages[i].title);
    }
    pxr_html_put(&web->html, "</ul>\n</nav>\n</header>\n<main>\n");
}

bool pxr_web_begin(pxr_web_t *web, request_rec *r, const pxr_call_t *call, pxr_web_page_t page)
{
    memset(web, 0, sizeof(*web));
    web->r = r;
    web->call = call;
    web->base = pxr_web_base(r, call);
    web->nonce = pxr_page_nonce(r);
    web->now = pxr_time_now();
    web->text = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    web->html = (pxr_html_t){.put = write_text, .context = web->text};
    if (web->nonce == NULL) {
        return false;
    }
    set_headers(web);
    pxr_html_put(&web->html,
                 "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                 "<title>%s - Pexip and Rocket.Chat</title>\n",
                 pages[page].title);
    if (page == PXR_WEB_STATUS) {
        pxr_html_put(&web->html,
                     "<noscript><meta http-equiv=\"refresh\" content=\"30;url=%s\"></noscript>\n",
                     web->base);
    }
    pxr_html_put(&web->html, "<style nonce=\"%s\">\n", web->nonce);
    web->html.put(web->html.context, style, sizeof(style) - 1);
    pxr_html_put(&web->html, "</style>\n<script nonce=\"%s\" type=\"module\">\n", web->nonce);
    web->html.put(web->html.context, pages[page].script, strlen(pages[page].script));
    pxr_html_put(&web->html, "\n</script>\n</head>\n");
    put_navigation(web, page);
    return true;
}

int pxr_web_end(pxr_web_t *web)
{
    char *text;
    apr_size_t len;

    pxr_html_put(&web->html, "</main>\n<footer>\n<p id=\"as-of\" data-fresh>mod_pexip_rc %s, ",
                 PXR_VERSION);
    pxr_web_put_time(web, web->now);
    pxr_html_put(&web->html, "</p>\n</footer>\n</body>\n</html>\n");
    if (apr_brigade_pflatten(web->text, &text, &len, web->r->pool) != APR_SUCCESS) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    return pxr_reply(web->r, HTTP_OK, "text/html; charset=utf-8", text, len);
}

void pxr_web_put_time(const pxr_web_t *web, pxr_time_t when)
{
    static const struct {
        int64_t seconds;
        const char *unit;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    int64_t age = (web->now - when) / PXR_SECOND;
    char text[PXR_TIME_TEXT];

    pxr_time_format(when, text);
    pxr_html_put(&web->html, "<time datetime=\"%s\">", text);
    text[10] = '\0';
    text[19] = '\0';
    pxr_html_put(&web->html, "%s %s UTC</time>", text, text + 11);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && age > 0; i++) {
        if (age >= units[i].seconds) {
            pxr_html_put(&web->html, " (%ju %s ago)", (uintmax_t)(age / units[i].seconds),
                         units[i].unit);
            return;
        }
    }
}
