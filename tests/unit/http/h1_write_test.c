/* h1_write_test.c: responses byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/rc.h"
#include "http/h1_write.h"

#include <stdlib.h>

#define DATE      "Sun, 06 Nov 1994 08:49:37 GMT"
#define DATE_LINE "Date: " DATE "\r\n"

static const struct bq_h1_reply plain = {.version_minor = 1, .date = DATE};

static void expect_bytes(const struct bq_response *r, const struct bq_h1_reply *how,
                         const char *bytes)
{
    struct bq_buf b = BQ_BUF_INIT;
    assert_int_equal(bq_h1_write_response(&b, r, how), BQ_OK);
    bq_buf_push(&b, '\0');
    assert_string_equal(b.data, bytes);
    bq_buf_release(&b);
}

static void a_response_is_status_date_type_fields_length_and_body(void **state)
{
    (void)state;
    struct bq_field fields[] = {{BQ_STR("x-LOWER"), BQ_STR("1")}, {BQ_STR("Empty"), BQ_STR("")}};
    expect_bytes(&(struct bq_response){.status = 200,
                                       .content_type = BQ_STR("text/plain"),
                                       .fields = fields,
                                       .field_count = 2,
                                       .body = BQ_STR("hello")},
                 &plain,
                 "HTTP/1.1 200 OK\r\n" DATE_LINE "Content-Type: text/plain\r\nx-LOWER: 1\r\n"
                 "Empty: \r\nContent-Length: 5\r\n\r\nhello");
}

static void an_empty_body_has_a_length(void **state)
{
    (void)state;
    expect_bytes(&(struct bq_response){.status = 404}, &plain,
                 "HTTP/1.1 404 Not Found\r\n" DATE_LINE "Content-Length: 0\r\n\r\n");
}

static void a_head_gets_the_length_and_not_the_body(void **state)
{
    (void)state;
    struct bq_h1_reply head = plain;
    head.head_only = true;
    expect_bytes(&(struct bq_response){.status = 200, .body = BQ_STR("hello")}, &head,
                 "HTTP/1.1 200 OK\r\n" DATE_LINE "Content-Length: 5\r\n\r\n");
}

static void an_id_is_said_once(void **state)
{
    (void)state;
    struct bq_field fields[] = {{BQ_STR("x-request-id"), BQ_STR("own")},
                                {BQ_STR("X-Other"), BQ_STR("1")}};
    const struct bq_response r = {.status = 204, .fields = fields, .field_count = 2};
    struct bq_h1_reply named = plain;
    named.id = BQ_STR("abc");
    expect_bytes(&r, &named,
                 "HTTP/1.1 204 No Content\r\n" DATE_LINE "X-Other: 1\r\nX-Request-Id: abc\r\n\r\n");
    expect_bytes(&r, &plain,
                 "HTTP/1.1 204 No Content\r\n" DATE_LINE "x-request-id: own\r\nX-Other: 1\r\n\r\n");
}

static void statuses_without_content_have_no_body(void **state)
{
    (void)state;
    bq_str body = BQ_STR("must not leave");
    expect_bytes(&(struct bq_response){.status = 204, .body = body}, &plain,
                 "HTTP/1.1 204 No Content\r\n" DATE_LINE "\r\n");
    expect_bytes(&(struct bq_response){.status = 304, .body = body}, &plain,
                 "HTTP/1.1 304 Not Modified\r\n" DATE_LINE "\r\n");
    expect_bytes(&(struct bq_response){.status = 205, .body = body}, &plain,
                 "HTTP/1.1 205 Reset Content\r\n" DATE_LINE "Content-Length: 0\r\n\r\n");
}

static void unregistered_statuses_have_an_empty_reason(void **state)
{
    (void)state;
    expect_bytes(&(struct bq_response){.status = 299}, &plain,
                 "HTTP/1.1 299 \r\n" DATE_LINE "Content-Length: 0\r\n\r\n");
    expect_bytes(&(struct bq_response){.status = 599}, &plain,
                 "HTTP/1.1 599 \r\n" DATE_LINE "Content-Length: 0\r\n\r\n");
}

static void persistence_is_said_where_it_is_not_the_default(void **state)
{
    (void)state;
    struct bq_response r = {.status = 200};
    struct bq_h1_reply how = plain;
    how.close = true;
    expect_bytes(&r, &how,
                 "HTTP/1.1 200 OK\r\n" DATE_LINE "Content-Length: 0\r\nConnection: close\r\n\r\n");
    how.version_minor = 0;
    expect_bytes(&r, &how,
                 "HTTP/1.1 200 OK\r\n" DATE_LINE "Content-Length: 0\r\nConnection: close\r\n\r\n");
    how.close = false;
    expect_bytes(&r, &how,
                 "HTTP/1.1 200 OK\r\n" DATE_LINE
                 "Content-Length: 0\r\nConnection: keep-alive\r\n\r\n");
}

static void fields_that_frame_are_the_writers_own(void **state)
{
    (void)state;
    struct bq_field fields[] = {
        {BQ_STR("Content-Length"), BQ_STR("99")},  {BQ_STR("transfer-encoding"), BQ_STR("chunked")},
        {BQ_STR("CONNECTION"), BQ_STR("upgrade")}, {BQ_STR("Date"), BQ_STR("today")},
        {BQ_STR("Keep-Alive"), BQ_STR("x")},       {BQ_STR("Proxy-Connection"), BQ_STR("x")},
        {BQ_STR("Dated"), BQ_STR("kept")},
    };
    expect_bytes(
        &(struct bq_response){
            .status = 200, .fields = fields, .field_count = 7, .body = BQ_STR("ab")},
        &plain, "HTTP/1.1 200 OK\r\n" DATE_LINE "Dated: kept\r\nContent-Length: 2\r\n\r\nab");
}

static void fields_that_could_break_the_framing_are_left_out(void **state)
{
    (void)state;
    struct bq_field fields[] = {
        {BQ_STR("A"), BQ_STR("b\r\nSet-Cookie: x")},
        {BQ_STR("B"), BQ_STR("\n")},
        {BQ_STR("C"), BQ_STR("a\0b")},
        {BQ_STR("D\r\nE"), BQ_STR("x")},
        {BQ_STR("F:"), BQ_STR("x")},
        {BQ_STR(""), BQ_STR("x")},
        {BQ_STR("G h"), BQ_STR("x")},
        {BQ_STR("I"), BQ_STR("\x7f")},
        {BQ_STR("J"), BQ_STR("a\tb \xc3\xa9")},
    };
    expect_bytes(&(struct bq_response){.status = 200,
                                       .content_type = BQ_STR("text/plain\r\nX: y"),
                                       .fields = fields,
                                       .field_count = 9},
                 &plain,
                 "HTTP/1.1 200 OK\r\n" DATE_LINE "J: a\tb \xc3\xa9\r\nContent-Length: 0\r\n\r\n");
}

static void the_content_type_wins_over_a_field(void **state)
{
    (void)state;
    struct bq_field fields[] = {{BQ_STR("content-type"), BQ_STR("a/b")}};
    struct bq_response r = {.status = 200, .fields = fields, .field_count = 1};
    expect_bytes(&r, &plain,
                 "HTTP/1.1 200 OK\r\n" DATE_LINE "content-type: a/b\r\nContent-Length: 0\r\n\r\n");
    r.content_type = BQ_STR("c/d");
    expect_bytes(&r, &plain,
                 "HTTP/1.1 200 OK\r\n" DATE_LINE "Content-Type: c/d\r\nContent-Length: 0\r\n\r\n");
}

static void lengths_have_all_their_digits(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 9, 10, 99, 100, 65535, 1000000};
    char *body = calloc(1, 1000000);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct bq_buf b = BQ_BUF_INIT;
        struct bq_response r = {.status = 200, .body = bq_str_of(body, lengths[i])};
        assert_int_equal(bq_h1_write_response(&b, &r, &plain), BQ_OK);
        assert_int_equal(bq_buf_push(&b, '\0'), BQ_OK);
        b.len--;
        char *length = strstr(b.data, "Content-Length: ");
        assert_non_null(length);
        char *end;
        assert_int_equal(strtoul(length + strlen("Content-Length: "), &end, 10), lengths[i]);
        assert_memory_equal(end, "\r\n\r\n", 4);
        assert_int_equal(b.data + b.len - (end + 4), lengths[i]);
        bq_buf_release(&b);
    }
    free(body);
}

static void responses_are_appended(void **state)
{
    (void)state;
    struct bq_buf b = BQ_BUF_INIT;
    struct bq_response r = {.status = 204};
    assert_int_equal(bq_h1_write_continue(&b), BQ_OK);
    assert_int_equal(bq_h1_write_response(&b, &r, &plain), BQ_OK);
    assert_int_equal(bq_h1_write_response(&b, &r, &plain), BQ_OK);
    bq_buf_push(&b, '\0');
    assert_string_equal(b.data, "HTTP/1.1 100 Continue\r\n\r\n"
                                "HTTP/1.1 204 No Content\r\n" DATE_LINE "\r\n"
                                "HTTP/1.1 204 No Content\r\n" DATE_LINE "\r\n");
    bq_buf_release(&b);
}

static void an_error_is_json_and_closes(void **state)
{
    (void)state;
    struct bq_buf b = BQ_BUF_INIT;
    assert_int_equal(bq_h1_write_error(&b, 431, "too many header fields", &plain), BQ_OK);
    bq_buf_push(&b, '\0');
    assert_string_equal(b.data, "HTTP/1.1 431 Request Header Fields Too Large\r\n" DATE_LINE
                                "Content-Type: application/json\r\nContent-Length: 35\r\n"
                                "Connection: close\r\n\r\n{\"detail\":\"too many header fields\"}");
    bq_buf_release(&b);
}

static void fields_are_checked_as_they_are_written(void **state)
{
    (void)state;
    assert_int_equal(bq_field_check(BQ_STR("X-A"), BQ_STR("b c\t\xff")), BQ_OK);
    assert_int_equal(bq_field_check(BQ_STR("X"), BQ_STR("")), BQ_OK);
    assert_int_equal(bq_field_check(BQ_STR(""), BQ_STR("b")), BQ_INVALID);
    assert_int_equal(bq_field_check(BQ_STR("X Y"), BQ_STR("b")), BQ_INVALID);
    assert_int_equal(bq_field_check(BQ_STR("X:"), BQ_STR("b")), BQ_INVALID);
    assert_int_equal(bq_field_check(BQ_STR("X"), BQ_STR("b\r")), BQ_INVALID);
    assert_int_equal(bq_field_check(BQ_STR("X"), BQ_STR("0123456789\n")), BQ_INVALID);
    assert_int_equal(bq_field_check(BQ_STR("X"), BQ_STR("\0")), BQ_INVALID);
}

#ifdef BQ_FAULTS
static void without_memory_the_buffer_is_as_before(void **state)
{
    (void)state;
    struct bq_buf b = BQ_BUF_INIT;
    bq_buf_append(&b, BQ_STR("before"));
    char body[1000] = {0};
    struct bq_response r = {.status = 200, .body = bq_str_of(body, sizeof body)};
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    assert_int_equal(bq_h1_write_response(&b, &r, &plain), BQ_MEMORY);
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    assert_int_equal(bq_h1_write_error(&b, 400, "x", &plain), BQ_MEMORY);
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
    assert_true(bq_str_eq(bq_buf_str(&b), BQ_STR("before")));
    bq_buf_release(&b);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_is_status_date_type_fields_length_and_body),
        cmocka_unit_test(an_empty_body_has_a_length),
        cmocka_unit_test(a_head_gets_the_length_and_not_the_body),
        cmocka_unit_test(an_id_is_said_once),
        cmocka_unit_test(statuses_without_content_have_no_body),
        cmocka_unit_test(unregistered_statuses_have_an_empty_reason),
        cmocka_unit_test(persistence_is_said_where_it_is_not_the_default),
        cmocka_unit_test(fields_that_frame_are_the_writers_own),
        cmocka_unit_test(fields_that_could_break_the_framing_are_left_out),
        cmocka_unit_test(the_content_type_wins_over_a_field),
        cmocka_unit_test(lengths_have_all_their_digits),
        cmocka_unit_test(responses_are_appended),
        cmocka_unit_test(an_error_is_json_and_closes),
        cmocka_unit_test(fields_are_checked_as_they_are_written),
#ifdef BQ_FAULTS
        cmocka_unit_test(without_memory_the_buffer_is_as_before),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
