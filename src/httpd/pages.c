#include "pxr_httpd.h"

#include <apr_strings.h>

#include "pxr_random.h"

/* Light and dark, nothing from elsewhere, readable without any of it. */
static const char style[] =
    ":root{color-scheme:light dark}"
    "body{font:1.125rem/1.5 system-ui,sans-serif;margin:0;min-height:100vh;display:grid;"
    "place-items:center;background:Canvas;color:CanvasText;"
    "overflow-wrap:anywhere}"
    "main{max-width:32rem;padding:2rem}"
    "h1{font-size:1.5rem;line-height:1.25;margin:0 0 1rem}"
    "p,dl{margin:0 0 1rem}"
    "dt{opacity:.75}"
    "dd{margin:0 0 .75rem;font-size:1.25rem}"
    "a{color:LinkText}"
    "button{font:inherit;padding:.5rem 1rem;min-height:2.75rem}";

static const char *as_html(apr_pool_t *p, const char *text)
{
    return ap_escape_html2(p, text, 0);
}

/* Until then the page loads itself anew from time to time: timers stand still while a machine
 * sleeps. */
#define LONGEST_WAIT 300

/* Says the moment in the visitor's own words and time zone. */
static const char moment_script[] =
    "(function(){'use strict';\n"
    "var moment=document.querySelector('time');\n"
    "try{moment.textContent=new Date(moment.dateTime).toLocaleString(undefined,{weekday:'long',"
    "year:'numeric',month:'long',day:'numeric',hour:'numeric',minute:'2-digit',"
    "timeZoneName:'short'});}catch(e){}\n"
    "})();";

static const char *moment(apr_pool_t *p, const char *nonce, pxr_time_t when)
{
    char text[PXR_TIME_TEXT];

    pxr_time_format(when, text);
    return apr_psprintf(p,
                        "<p><time datetime=\"%s\">%.10s, %.5s UTC</time></p>\n"
                        "<script nonce=\"%s\">\n%s\n</script>\n",
                        text, text, text + 11, nonce, moment_script);
}

static const char *reload_at(apr_pool_t *p, pxr_time_t when)
{
    int64_t left = (when - pxr_time_now()) / PXR_SECOND + 1;

    return apr_psprintf(p, "<meta http-equiv=\"refresh\" content=\"%d\">\n",
                        left < 1              ? 1
                        : left > LONGEST_WAIT ? LONGEST_WAIT
                                              : (int)left);
}

const char *pxr_page_nonce(request_rec *r)
{
    char nonce[27];

    if (!pxr_random_key(nonce, sizeof(nonce) - 1)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "PXR1026: the system's random source fails");
        return NULL;
    }
    return apr_pstrdup(r->pool, nonce);
}

/* `scripts` is what the page's own script may do, as a policy; "" where there is none. */
static int reply(request_rec *r, int status, const char *nonce, const char *title, const char *head,
                 const char *body, const char *scripts)
{
    const char *page;

    apr_table_setn(r->headers_out, "Content-Security-Policy",
                   apr_psprintf(r->pool,
                                "default-src 'none'; style-src 'nonce-%s'; %sbase-uri 'none'; "
                                "form-action 'none'; frame-ancestors 'self'",
                                nonce, scripts));
    page = apr_pstrcat(r->pool,
                       "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                       "<title>",
                       as_html(r->pool, title), "</title>\n", head, "<style nonce=\"", nonce, "\">",
                       style, "</style>\n</head>\n<body>\n<main>\n<h1>", as_html(r->pool, title),
                       "</h1>\n", body, "</main>\n</body>\n</html>\n", NULL);
    return pxr_reply(r, status, "text/html; charset=utf-8", page, strlen(page));
}

int pxr_reply_html(request_rec *r, int status, const char *nonce, const char *title,
                   const char *head, const char *body, bool connects)
{
    return reply(r, status, nonce, title, head, body,
                 connects
                     ? apr_psprintf(r->pool, "script-src 'nonce-%s'; connect-src 'self'; ", nonce)
                     : "");
}

int pxr_reply_page(request_rec *r, int status, const char *title, const char *text, pxr_time_t when)
{
    const char *nonce = pxr_page_nonce(r);
    const char *body = apr_pstrcat(r->pool, "<p>", as_html(r->pool, text), "</p>\n", NULL);

    if (nonce == NULL) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    if (when == 0) {
        return reply(r, status, nonce, title, "", body, "");
    }
    return reply(r, status, nonce, title, reload_at(r->pool, when),
                 apr_pstrcat(r->pool, body, moment(r->pool, nonce, when), NULL),
                 apr_psprintf(r->pool, "script-src 'nonce-%s'; ", nonce));
}
