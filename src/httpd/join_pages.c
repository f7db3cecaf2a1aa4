#include "join.h"

#include <apr_strings.h>

#define RETRY_SECONDS "5"

/* Shown by us, or by the script of a page of ours. */
#define WAYS "Ways to join besides the link:"
#define ADDRESS "Address to dial"
#define NUMBER "Number"
#define ALIAS "Alias"
#define GUEST_PIN "PIN for guests"
#define HOST_PIN "PIN for hosts (keep it to yourself)"

/* Looks what the web client has kept, and hands it in to the address of the page. */
#define LOOK_UP \
    "try{user=localStorage.getItem('Meteor.userId');" \
    "token=localStorage.getItem('Meteor.loginToken');}catch(e){}\n"
#define HAND_IN \
    "fetch(location.pathname+location.search,{method:'POST',cache:'no-store'," \
    "credentials:'same-origin',redirect:'error'," \
    "headers:{'Content-Type':'application/json','Accept':'application/json'}," \
    "body:JSON.stringify({userId:user,authToken:token})})"

static const char *as_html(const pxr_visit_t *visit, const char *text)
{
    return ap_escape_html2(visit->r->pool, text, 0);
}

/* The same link for a guest, who keeps the name that it proposes. */
static const char *guest_link(const pxr_visit_t *visit)
{
    char link[16 + 3 * PXR_PEXIP_TEXT_MAX];
    pxr_buf_t buf;

    pxr_buf_init(&buf, link, sizeof(link));
    pxr_buf_puts(&buf, "?guest");
    if (visit->name[0] != '\0') {
        pxr_buf_puts(&buf, "&amp;name=");
        pxr_buf_put_percent(&buf, visit->name, strlen(visit->name));
    }
    return apr_pstrdup(visit->r->pool, link);
}

/*
 * The web client keeps its session in localStorage, which only a page of its own origin can read.
 * What is there is verified like a cookie; the page itself learns nothing but where to go. Somebody
 * without a session goes on at once, unless he has said that he is the one who may open the door.
 */
static const char ask_script[] =
    "(function(){'use strict';\n"
    "var guest=document.getElementById('guest'),mine=document.getElementById('mine'),"
    "how=document.getElementById('how'),say=document.getElementById('say'),"
    "stays=false,user=null,token=null;\n"
    "function go(url){location.replace(url);}\n"
    "function leave(){if(!stays){go(guest.href);}}\n"
    "function soon(){setTimeout(leave,Math.max(0,900-performance.now()));}\n"
    "function ask(){\n" HAND_IN ".then(function(answer){\n"
    "if(answer.status===503){say.textContent='Rocket.Chat cannot be reached at present, so nobody "
    "can be recognised. This page tries again every few seconds.';setTimeout(ask," RETRY_SECONDS
    "000);return null;}\n"
    "return answer.ok?answer.json():{};\n"
    "}).then(function(answer){\n"
    "if(answer===null){return;}\n"
    "if(answer.recognised){go(answer.url);}else{soon();}\n"
    "}).catch(soon);}\n"
    "mine.addEventListener('click',function(){stays=true;mine.hidden=true;how.hidden=false;"
    "say.textContent='This browser is not known to Rocket.Chat as the one who started the "
    "meeting.';"
    "how.focus();});\n"
    "mine.hidden=false;\n" LOOK_UP "if(user&&token){ask();}else{soon();}\n"
    "})();";

int pxr_join_ask_page(const pxr_visit_t *visit)
{
    request_rec *r = visit->r;
    const char *nonce = pxr_page_nonce(r);

    if (nonce == NULL) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    return pxr_reply_html(
        r, HTTP_OK, nonce, "Joining the meeting", "",
        apr_pstrcat(
            r->pool,
            "<p id=\"say\" role=\"status\">You are led to the meeting in a moment.</p>\n"
            "<p><a id=\"guest\" href=\"",
            guest_link(visit),
            "\">Join as guest</a></p>\n"
            "<p><button id=\"mine\" type=\"button\" hidden>I started this meeting</button></p>\n"
            "<div id=\"how\" tabindex=\"-1\" hidden>\n"
            "<p>To open the meeting as its host, log in to Rocket.Chat in this browser and open "
            "this link again, or use the personal link in the direct message that you got when you "
            "started the meeting.</p>\n"
            "<p><a href=\"",
            as_html(visit, visit->call->workspace->site_url),
            "/\">Log in to Rocket.Chat</a></p>\n<p><a href=\"\">Try again</a></p>\n</div>\n"
            "<script nonce=\"",
            nonce, "\">\n", ask_script, "\n</script>\n", NULL),
        true);
}

int pxr_join_retry_page(const pxr_visit_t *visit)
{
    request_rec *r = visit->r;
    const char *nonce = pxr_page_nonce(r);
    const char *guest = visit->info
                            ? ""
                            : apr_pstrcat(r->pool, "<p><a href=\"", guest_link(visit),
                                          "\">Join as guest</a>, and wait until somebody opens the "
                                          "meeting</p>\n",
                                          NULL);

    if (nonce == NULL) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    return pxr_reply_html(
        r, HTTP_OK, nonce, "Rocket.Chat cannot be reached",
        "<meta http-equiv=\"refresh\" content=\"" RETRY_SECONDS "\">\n",
        apr_pstrcat(r->pool,
                    "<p role=\"status\">Rocket.Chat does not answer at present, so it cannot be "
                    "seen who you are. This page tries again every few seconds.</p>\n"
                    "<p><a href=\"\">Retry now</a></p>\n",
                    guest, NULL),
        false);
}

static const char info_script[] =
    "(function(){'use strict';\n"
    "var user=null,token=null,names={address:'" ADDRESS "',numeric_alias:'" NUMBER "',alias:'" ALIAS
    "',guest_pin:'" GUEST_PIN "',host_pin:'" HOST_PIN "'};\n"
    "function add(list,tag,text){var element=document.createElement(tag);"
    "element.textContent=text;list.append(element);}\n"
    "function show(ways){var "
    "list=document.createElement('dl'),say=document.getElementById('say');\n"
    "Object.keys(names).forEach(function(key){if(ways[key]){add(list,'dt',names[key]);"
    "add(list,'dd',ways[key]);}});\n"
    "document.querySelector('h1').textContent=document.title=ways.title||'The meeting';"
    "say.textContent='" WAYS "';say.after(list);}\n" LOOK_UP "if(user&&token){" HAND_IN
    ".then(function(answer){return answer.ok?answer.json():null;})"
    ".then(function(ways){if(ways){show(ways);}}).catch(function(){});}\n"
    "})();";

int pxr_join_stranger_page(const pxr_visit_t *visit)
{
    request_rec *r = visit->r;
    bool asks = pxr_identity_on_site(r, visit->call->workspace);
    const char *nonce = pxr_page_nonce(r);

    if (nonce == NULL) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    return pxr_reply_html(
        r, HTTP_FORBIDDEN, nonce, "This is for people of Rocket.Chat", "",
        apr_pstrcat(r->pool,
                    "<p id=\"say\" role=\"status\">How else this meeting can be joined is shown to "
                    "those who are known. Log in to Rocket.Chat in this browser and open this page "
                    "again, or, if you started the meeting, open your personal link with /info "
                    "behind its key.</p>\n",
                    asks ? apr_pstrcat(r->pool, "<script nonce=\"", nonce, "\">\n", info_script,
                                       "\n</script>\n", NULL)
                         : "",
                    NULL),
        asks);
}

static const char *entry(const pxr_visit_t *visit, const char *name, const char *value)
{
    return value == NULL || value[0] == '\0'
               ? ""
               : apr_pstrcat(visit->r->pool, "<dt>", name, "</dt>\n<dd>", as_html(visit, value),
                             "</dd>\n", NULL);
}

static int info_page(const pxr_visit_t *visit, const pxr_info_t *info)
{
    request_rec *r = visit->r;
    const char *nonce = pxr_page_nonce(r);
    const char *title = info->title != NULL && info->title[0] != '\0' ? info->title : "The meeting";

    if (nonce == NULL) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    return pxr_reply_html(
        r, HTTP_OK, nonce, title, "",
        apr_pstrcat(r->pool, "<p>" WAYS "</p>\n<dl>\n", entry(visit, ADDRESS, info->address),
                    entry(visit, NUMBER, info->numeric_alias), entry(visit, ALIAS, info->alias),
                    entry(visit, GUEST_PIN, info->guest_pin),
                    entry(visit, HOST_PIN, info->host_pin), "</dl>\n", NULL),
        false);
}

int pxr_join_info(const pxr_visit_t *visit, bool host)
{
    pxr_info_t info;

    pxr_fill_info(visit->r->pool, visit->call->workspace, &visit->view, host, &info);
    return visit->by_script || pxr_wants_json(visit->r)
               ? pxr_reply_json(visit->r, HTTP_OK, pxr_json_write_info(&info))
               : info_page(visit, &info);
}
