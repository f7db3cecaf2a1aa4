#include "helpers.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pxr_rest.h"

/* A server of OpenSSL's own, with a certificate that nobody but its file vouches for. */
static struct {
    char directory[64];
    char certificate[96];
    char key[96];
    pid_t pid;
    int port;
} server;

static int start_server(void **state)
{
    char command[512];
    char line[256];
    int ends[2];
    FILE *out;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    snprintf(server.directory, sizeof(server.directory), "/tmp/pxr-tls-XXXXXX");
    assert_non_null(mkdtemp(server.directory));
    snprintf(server.certificate, sizeof(server.certificate), "%s/cert.pem", server.directory);
    snprintf(server.key, sizeof(server.key), "%s/key.pem", server.directory);
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
             "-subj /CN=localhost -addext subjectAltName=DNS:localhost -out %s -keyout %s "
             "2>/dev/null",
             server.certificate, server.key);
    assert_int_equal(system(command), 0);
    assert_int_equal(pipe(ends), 0);
    server.pid = fork();
    if (server.pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert",
               server.certificate, "-key", server.key, "-www", NULL);
        _exit(127);
    }
    close(ends[1]);
    out = fdopen(ends[0], "r");
    while (server.port == 0 && fgets(line, sizeof(line), out) != NULL) {
        sscanf(line, "ACCEPT 127.0.0.1:%d", &server.port);
    }
    assert_true(server.port > 0);
    /* Kept open: what it prints must go somewhere. */
    return pxr_rest_init() == PXR_OK ? 0 : -1;
}

static int stop_server(void **state)
{
    (void)state;
    kill(server.pid, SIGKILL);
    waitpid(server.pid, NULL, 0);
    unlink(server.certificate);
    unlink(server.key);
    rmdir(server.directory);
    return 0;
}

static pxr_rest_result_t ask(const char *host, const char *ca_file, const char *ca_path)
{
    char url[128];
    pxr_rest_request_t request = {.method = PXR_REST_GET,
                                  .base_url = url,
                                  .path = "/",
                                  .ca_file = ca_file,
                                  .ca_path = ca_path,
                                  .deadline = 10 * PXR_SECOND};
    pxr_rest_result_t result;

    snprintf(url, sizeof(url), "https://%s:%d", host, server.port);
    pxr_rest_ask(&request, &result);
    return result;
}

static void who_is_vouched_for_is_asked(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        pxr_rest_result_t result = ask("localhost", server.certificate, NULL);
        CHECK(result.outcome == PXR_REST_ANSWERED, "%s", result.why);
        assert_int_equal(result.status, 200);
        assert_string_equal(result.content_type, "text/html");
        assert_non_null(strstr(result.body, "TLSv1.3"));
        pxr_rest_result_clear(&result);
    }
}

static void check_refused(const char *host, const char *ca_file, const char *ca_path)
{
    pxr_rest_result_t result = ask(host, ca_file, ca_path);

    assert_int_equal(result.outcome, PXR_REST_NOT_SENT);
    CHECK(strstr(result.why, "ertificate") != NULL, "%s", result.why);
    assert_int_equal(result.status, 0);
}

static void whom_nobody_vouches_for_gets_nothing(void **state)
{
    (void)state;
    /* Also after a connection that was trusted by others. */
    check_refused("localhost", NULL, NULL);
    check_refused("localhost", NULL, server.directory);
    check_refused("127.0.0.1", server.certificate, NULL);
}

static void certificates_that_cannot_be_read_are_an_error(void **state)
{
    pxr_rest_result_t result = ask("localhost", "/nowhere/ca.pem", NULL);

    (void)state;
    assert_int_equal(result.outcome, PXR_REST_NOT_SENT);
    assert_non_null(strstr(result.why, "/nowhere/ca.pem"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_vouched_for_is_asked),
        cmocka_unit_test(whom_nobody_vouches_for_gets_nothing),
        cmocka_unit_test(certificates_that_cannot_be_read_are_an_error),
    };

    return cmocka_run_group_tests(tests, start_server, stop_server);
}
