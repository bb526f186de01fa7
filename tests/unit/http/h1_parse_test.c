/* h1_parse_test.c: good and bad requests, each in many cuts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "h1_play.h"

static const struct bq_h1_limits roomy = {8192, 16384, 100};
static const struct bq_h1_limits narrow = {32, 128, 4};

/* An input and what it must come to: a status, or 0 and how many requests. */
struct row {
    const char *bytes;
    size_t n;
    int status;
    unsigned done;
};

#define OK_ROW(text, requests)              \
    {                                       \
        text, sizeof(text) - 1, 0, requests \
    }
#define BAD(text, status)                 \
    {                                     \
        text, sizeof(text) - 1, status, 0 \
    }
#define H       "Host: a\r\n"
#define GET     "GET / HTTP/1.1\r\n" H
#define POST    "POST / HTTP/1.1\r\n" H
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define END     "\r\n"

static const struct row rows[] = {
    /* what is right */
    OK_ROW(GET END, 1),
    OK_ROW("GET /a/b?c=d&e HTTP/1.1\r\n" H END, 1),
    OK_ROW("\r\n" GET END, 1),
    OK_ROW("\r\n\r\n\r\n\r\n" GET END, 1),
    OK_ROW("HEAD / HTTP/1.1\r\n" H END, 1),
    OK_ROW("PUT / HTTP/1.1\r\n" H END, 1),
    OK_ROW("PATCH / HTTP/1.1\r\n" H END, 1),
    OK_ROW("DELETE / HTTP/1.1\r\n" H END, 1),
    OK_ROW("OPTIONS * HTTP/1.1\r\n" H END, 1),
    OK_ROW("OPTIONS /x HTTP/1.1\r\n" H END, 1),
    OK_ROW("PROPFIND / HTTP/1.1\r\n" H END, 1),
    OK_ROW("BASELINE-CONTROL / HTTP/1.1\r\n" H END, 1),
    OK_ROW("VERSION-CONTROL /x HTTP/1.1\r\n" H "X: y\r\n" END, 1),
    OK_ROW("TRACE / HTTP/1.1\r\n" H END, 1),
    OK_ROW("QUERY / HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nok", 1),
    OK_ROW("GET /\xc3\xa9 HTTP/1.1\r\n" H END, 1),
    OK_ROW("GET /{a}|b^`\"<>\\[] HTTP/1.1\r\n" H END, 1),
    OK_ROW("GET http://b/x?y HTTP/1.1\r\n" H END, 1),
    OK_ROW("GET HTTPS://b:443 HTTP/1.1\r\n" H END, 1),
    OK_ROW("GET / HTTP/1.0\r\n\r\n", 1),
    OK_ROW("GET / HTTP/1.0\r\n" H END, 1),
    OK_ROW(GET "X:\r\n" END, 1),
    OK_ROW(GET "X:   \t \r\n" END, 1),
    OK_ROW(GET "X:y\r\n" END, 1),
    OK_ROW(GET "X: \t y z\t \r\n" END, 1),
    OK_ROW(GET "X: \x80\xff\r\n" END, 1),
    OK_ROW(GET "X: a\tb\r\n" END, 1),
    OK_ROW(GET "!#$%&'*+-.^_`|~09azAZ: y\r\n" END, 1),
    OK_ROW(GET "X: a, b\r\nX: c\r\nx: d\r\n" END, 1),
    OK_ROW("GET / HTTP/1.1\r\nHost:\r\n" END, 1),
    OK_ROW("GET / HTTP/1.1\r\nhOST: [::1]:80\r\n" END, 1),
    OK_ROW(GET "Connection: upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n" END, 1),
    OK_ROW(GET "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n" GET END, 2),
    OK_ROW(GET "Connection: close, x, keep-alive\r\n" END, 1),
    OK_ROW(GET "Proxy-Connection: keep-alive\r\n" END, 1),
    OK_ROW(POST "Content-Length: 0\r\n" END, 1),
    OK_ROW(POST "Content-Length: 5\r\n\r\nhello", 1),
    OK_ROW(POST "Content-Length: 00005\r\n\r\nhello", 1),
    OK_ROW(POST "Content-Length:  5 \r\n\r\nhello", 1),
    OK_ROW(POST "CONTENT-LENGTH: 5\r\n\r\nhello", 1),
    OK_ROW(POST "Content-Length: 5\r\n\r\nhello" GET END, 2),
    OK_ROW(POST "Content-Lengthy: 5\r\nX-Content-Length: +5\r\n\r\n", 1),
    OK_ROW(POST "Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx", 1),
    OK_ROW(POST "Expect: 100-CONTINUE\r\nContent-Length: 1\r\n\r\nx", 1),
    OK_ROW("POST / HTTP/1.0\r\nExpect: whatever\r\nContent-Length: 1\r\n\r\nx", 1),
    OK_ROW(CHUNKED "0\r\n\r\n", 1),
    OK_ROW(CHUNKED "5\r\nhello\r\n0\r\n\r\n", 1),
    OK_ROW(CHUNKED "5\r\nhello\r\n0000\r\n\r\n" GET END, 2),
    OK_ROW(CHUNKED "00A\r\n0123456789\r\n1\r\nx\r\n0\r\n\r\n", 1),
    OK_ROW(CHUNKED "a;ext\r\n0123456789\r\n0;x=\"y\"\r\n\r\n", 1),
    OK_ROW(CHUNKED "2\r\n\r\n\r\n0\r\n\r\n", 1),
    OK_ROW(CHUNKED "0\r\nX-Sum: 1\r\nY:\r\n\r\n" GET END, 2),
    OK_ROW(POST "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", 1),
    OK_ROW(POST "Transfer-Encoding:chunked \t\r\n\r\n0\r\n\r\n", 1),
    OK_ROW("PUT /\xff HTTP/1.1\r\n" H
           "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nT: u\r\n\r\n",
           1),
    OK_ROW(GET END GET END GET END, 3),
    OK_ROW(GET END "\r\n" GET END, 2),
    OK_ROW(GET, 0),
    OK_ROW("\r\n", 0),
    OK_ROW("", 0),

    /* the request line */
    BAD("GET  / HTTP/1.1\r\n" H END, 400),
    BAD("GET /  HTTP/1.1\r\n" H END, 400),
    BAD(" GET / HTTP/1.1\r\n" H END, 400),
    BAD("\tGET / HTTP/1.1\r\n" H END, 400),
    BAD("GET / HTTP/1.1 \r\n" H END, 400),
    BAD("GET / HTTP/1.1x\r\n" H END, 400),
    BAD("GET / HTTP/1.1\t\r\n" H END, 400),
    BAD("GET / http/1.1\r\n" H END, 400),
    BAD("GET / HTTP/1\r\n" H END, 400),
    BAD("GET / HTTP/1.\r\n" H END, 400),
    BAD("GET / HTTP/11.1\r\n" H END, 400),
    BAD("GET / HTTP/1.10\r\n" H END, 400),
    BAD("GET / HTTP/01.1\r\n" H END, 400),
    BAD("GET / HTTP/+1.1\r\n" H END, 400),
    BAD("GET / HTTPS/1.1\r\n" H END, 400),
    BAD("GET / RTSP/1.0\r\n" H END, 400),
    BAD("SOURCE / ICE/1.0\r\n" H END, 400),
    BAD("GET /\r\n", 400),
    BAD("GET\r\n", 400),
    BAD("GET / \r\n" H END, 400),
    BAD("GET / HTTP/0.9\r\n" H END, 400),
    BAD("GET / HTTP/0.1\r\n" H END, 400),
    BAD("GET / HTTP/1.2\r\n" H END, 505),
    BAD("GET / HTTP/2.0\r\n" H END, 505),
    BAD("GET / HTTP/3.0\r\n" H END, 505),
    BAD("GET / HTTP/9.9\r\n" H END, 505),
    BAD("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    BAD("PRI * HTTP/1.1\r\n" H END, 501),
    BAD("get / HTTP/1.1\r\n" H END, 501),
    BAD("Get / HTTP/1.1\r\n" H END, 501),
    BAD("GETT / HTTP/1.1\r\n" H END, 501),
    BAD("FOO / HTTP/1.1\r\n" H END, 501),
    BAD("PURGE / HTTP/1.1\r\n" H END, 501),
    BAD("DESCRIBE / HTTP/1.1\r\n" H END, 501),
    BAD("CONNECT a:443 HTTP/1.1\r\n" H END, 501),
    BAD("CONNECT / HTTP/1.1\r\n" H END, 501),
    BAD("G@T / HTTP/1.1\r\n" H END, 400),
    BAD("GET\t/ HTTP/1.1\r\n" H END, 400),
    BAD("GET\0 / HTTP/1.1\r\n" H END, 400),
    BAD("GET\x0b/ HTTP/1.1\r\n" H END, 400),
    BAD("GET /\0 HTTP/1.1\r\n" H END, 400),
    BAD("GET /\t HTTP/1.1\r\n" H END, 400),
    BAD("GET /\x7f HTTP/1.1\r\n" H END, 400),
    BAD("GET /\x0c HTTP/1.1\r\n" H END, 400),
    BAD("GET /#x HTTP/1.1\r\n" H END, 400),
    BAD("GET a HTTP/1.1\r\n" H END, 400),
    BAD("GET * HTTP/1.1\r\n" H END, 400),
    BAD("OPTIONS *x HTTP/1.1\r\n" H END, 400),
    BAD("GET a:80 HTTP/1.1\r\n" H END, 400),
    BAD("GET ?x HTTP/1.1\r\n" H END, 400),
    BAD("GET http:/x HTTP/1.1\r\n" H END, 400),
    BAD("GET http://u@a/x HTTP/1.1\r\n" H END, 400),
    BAD("GET http:///x HTTP/1.1\r\n" H END, 400),
    BAD("GET ftp://a/x HTTP/1.1\r\n" H END, 400),
    BAD("GET /\rX HTTP/1.1\r\n" H END, 400),
    BAD("PROPFIND /a b HTTP/1.1\r\n" H END, 400),
    BAD("PROPFIND  / HTTP/1.1\r\n" H END, 400),
    BAD("PROPFIND /\rX HTTP/1.1\r\n" H END, 400),
    BAD("PROPFIND /\0 HTTP/1.1\r\n" H END, 400),
    BAD("PROPFIND a:1 HTTP/1.1\r\n" H END, 400),
    BAD("GET /\xff\r HTTP/1.1\r\n" H END, 400),
    BAD("GET /\xff /b HTTP/1.1\r\n" H END, 400),
    BAD("GET /\xff\x7f HTTP/1.1\r\n" H END, 400),
    BAD("\r\n\r\n\r\n\r\n\r\n" GET END, 400),
    BAD("\rGET / HTTP/1.1\r\n" H END, 400),
    BAD("\n" GET END, 400),
    BAD("\r\r\n" GET END, 400),
    BAD("\x16\x03\x01\x02", 400),
    BAD("\0", 400),
    BAD(": x\r\n", 400),
    BAD("HTTP/1.1 200 OK\r\n\r\n", 400),

    /* lines that do not end in CRLF */
    BAD("GET / HTTP/1.1\n" H END, 400),
    BAD("GET / HTTP/1.1\r" H END, 400),
    BAD("GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\nHost: a\n\n", 400),
    BAD("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400),
    BAD(GET "X: y\r\n\n", 400),
    BAD(GET "X: y\n" END, 400),
    BAD(GET "X: y\rZ: w\r\n" END, 400),
    BAD(GET "X: y\r\r\n" END, 400),
    BAD(GET "X:\r Y: z\r\n" END, 400),
    BAD(GET "X\r: y\r\n" END, 400),
    BAD(GET "\rX: y\r\n" END, 400),
    BAD(GET "X: y\r\n\rX\r\n\r\n", 400),
    BAD(GET "\r\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\n\nHost: a\r\n\r\n", 400),

    /* fields */
    BAD(GET "X : y\r\n" END, 400),
    BAD(GET "X\t: y\r\n" END, 400),
    BAD(GET " X: y\r\n" END, 400),
    BAD(GET "X: y\r\n z\r\n" END, 400),
    BAD(GET "X: y\r\n\tz\r\n" END, 400),
    BAD(GET "X:\r\n y\r\n" END, 400),
    BAD(GET "X: y\r\n \r\n" END, 400),
    BAD("GET / HTTP/1.1\r\n Host: a\r\n" END, 400),
    BAD("GET / HTTP/1.1\r\n\tHost: a\r\n" END, 400),
    BAD("PROPFIND / HTTP/1.1\r\n X: y\r\n" H END, 400),
    BAD(GET ": y\r\n" END, 400),
    BAD(GET "X\r\n" END, 400),
    BAD(GET "X y: z\r\n" END, 400),
    BAD(GET "X(y): z\r\n" END, 400),
    BAD(GET "X\0: z\r\n" END, 400),
    BAD(GET "X\x80: z\r\n" END, 400),
    BAD(GET "X\x7f: z\r\n" END, 400),
    BAD(GET "\"X\": z\r\n" END, 400),
    BAD(GET "X: \0\r\n" END, 400),
    BAD(GET "X: y\0z\r\n" END, 400),
    BAD(GET "X: \x01\r\n" END, 400),
    BAD(GET "X: y\x1bz\r\n" END, 400),
    BAD(GET "X: y\x7f\r\n" END, 400),
    BAD(GET "X: y\x0bz\r\n" END, 400),
    BAD(GET "X: y\x0cz\r\n" END, 400),
    BAD(GET "X: 0123456789\x1f\r\n" END, 400),
    BAD(GET "Connection: a\0b\r\n" END, 400),
    BAD(GET "Upgrade: a\x08\r\n" END, 400),

    /* hosts */
    BAD("GET / HTTP/1.1\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\nX: y\r\n\r\n", 400),
    BAD("GET http://a/ HTTP/1.1\r\n\r\n", 400),
    BAD(GET "Host: a\r\n" END, 400),
    BAD(GET "hOSt: b\r\n" END, 400),
    BAD("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\nHost: a:x\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", 400),
    BAD("GET / HTTP/1.0\r\nHost: [::1\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n", 400),

    /* lengths */
    BAD(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
    BAD(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
    BAD(POST "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400),
    BAD(POST "Content-Length: 5\r\nX: y\r\ncontent-length: 50\r\n\r\nhello", 400),
    BAD(POST "Content-Length: 5, 5\r\n\r\nhello", 400),
    BAD(POST "Content-Length: 5, 6\r\n\r\nhello", 400),
    BAD(POST "Content-Length: 5,\r\n\r\nhello", 400),
    BAD(POST "Content-Length: +5\r\n\r\nhello", 400),
    BAD(POST "Content-Length: -5\r\n\r\nhello", 400),
    BAD(POST "Content-Length: -0\r\n\r\n", 400),
    BAD(POST "Content-Length: 0x5\r\n\r\nhello", 400),
    BAD(POST "Content-Length: 5x\r\n\r\nhello", 400),
    BAD(POST "Content-Length: 5.0\r\n\r\nhello", 400),
    BAD(POST "Content-Length: 5e0\r\n\r\nhello", 400),
    BAD(POST "Content-Length:  5 5\r\n\r\nhello", 400),
    BAD(POST "Content-Length: \"5\"\r\n\r\nhello", 400),
    BAD(POST "Content-Length: 5;\r\n\r\nhello", 400),
    BAD(POST "Content-Length: 5_0\r\n\r\nhello", 400),
    BAD(POST "Content-Length: \xd9\xa5\r\n\r\nhello", 400),
    BAD(POST "Content-Length:\r\n\r\n", 400),
    BAD(POST "Content-Length: \t\r\n\r\n", 400),
    BAD(POST "Content-Length\r\n\r\n", 400),
    BAD(POST "Content-Length : 5\r\n\r\nhello", 400),
    BAD(POST " Content-Length: 5\r\n\r\nhello", 400),
    BAD("POST / HTTP/1.1\r\n Content-Length: 5\r\n" H "\r\nhello", 400),
    BAD(POST "Content-Length: 5\r\n 5\r\n\r\nhello", 400),
    BAD(POST "Content-Length: 5\r 6\r\n\r\nhello", 400),
    BAD(POST "Content-Length: 5\0\r\n\r\nhello", 400),
    BAD(POST "Content-Length: 9223372036854775808\r\n\r\n", 400),
    BAD(POST "Content-Length: 18446744073709551615\r\n\r\n", 400),
    BAD(POST "Content-Length: 18446744073709551616\r\n\r\n", 400),
    BAD(POST "Content-Length: 18446744073709551621\r\n\r\nhello", 400),
    BAD(POST "Content-Length: 99999999999999999999999999999\r\n\r\n", 400),

    /* codings */
    BAD(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello", 400),
    BAD(POST "Transfer-Encoding:\r\nContent-Length: 5\r\n\r\nhello", 400),
    BAD("PROPFIND / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: chunkedchunked\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: chunked-false\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: chunke\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: \x0b"
             "chunked\r\n\r\n0\r\n\r\n",
        400),
    BAD(POST "Transfer-Encoding: chunked\x0c\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: \xc2\xa0"
             "chunked\r\n\r\n0\r\n\r\n",
        400),
    BAD(POST "Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    BAD(POST " Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: chunked\r\n , identity\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding\r\n: chunked\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "X: \rxTransfer-Encoding: chunked\r\n\r\n1\r\nA\r\n0\r\n\r\n", 400),
    BAD(POST "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: identity\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: \r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: gzip\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    BAD(POST "Transfer-Encoding: deflate, GZIP, chunked\r\n\r\n0\r\n\r\n", 501),
    BAD(POST "Transfer-Encoding: gzip, chunked,\r\n\r\n0\r\n\r\n", 400),
    BAD("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),

    /* expectations */
    BAD(POST "Expect: 200-ok\r\n\r\n", 417),
    BAD(POST "Expect: 100-continue, x\r\n\r\n", 417),
    BAD(POST "Expect: 100-continue\r\nExpect: x\r\n\r\n", 417),

    /* chunks */
    BAD(CHUNKED "+5\r\nhello\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "-5\r\nhello\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "-0\r\n\r\n", 400),
    BAD(CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", 400),
    BAD(CHUNKED " 5\r\nhello\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "5 \r\nhello\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "5\t\r\nhello\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "5 ;x\r\nhello\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "5g\r\nhello\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "g\r\n", 400),
    BAD(CHUNKED "\r\n0\r\n\r\n", 400),
    BAD(CHUNKED ";x\r\n", 400),
    BAD(CHUNKED "5_\r\nhello\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "5,5\r\nhello\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "5\nhello\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "5\rhello\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "5\r\r\nhello\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "5\r\nhello\n0\r\n\r\n", 400),
    BAD(CHUNKED "5\r\nhello\r0\r\n\r\n", 400),
    BAD(CHUNKED "5\r\nhello0\r\n\r\n", 400),
    BAD(CHUNKED "5\r\nhelloxx0\r\n\r\n", 400),
    BAD(CHUNKED "5\r\nhello!\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "6\r\nhello\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "5;x\ny\r\nhello\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "5;\nxx\r\n4c\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "5;x\ry\r\nhello\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "5;x\0\r\nhello\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "5;x=\"\n\"\r\nhello\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "1000000000000000\r\n", 400),
    BAD(CHUNKED "0000000000000005\r\nhello\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "FFFFFFFFFFFFFFFF\r\n", 400),
    BAD(CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n", 400),
    BAD(CHUNKED "5\0\r\nhello\r\n0\r\n\r\n", 400),

    /* trailers */
    BAD(CHUNKED "0\n\r\n", 400),
    BAD(CHUNKED "0\r\n\n", 400),
    BAD(CHUNKED "0\r\nX: y\n\r\n", 400),
    BAD(CHUNKED "0\r\nX: y\r\n\n", 400),
    BAD(CHUNKED "0\r\nX : y\r\n\r\n", 400),
    BAD(CHUNKED "0\r\nX: y\r\n z\r\n\r\n", 400),
    BAD(CHUNKED "0\r\n X: y\r\n\r\n", 400),
    BAD(CHUNKED "0\r\nX\r\n\r\n", 400),
    BAD(CHUNKED "0\r\nX: \0\r\n\r\n", 400),
    BAD(CHUNKED "0\r\nX: y\rZ: w\r\n\r\n", 400),
    BAD(CHUNKED "0\r\n: y\r\n\r\n", 400),
    BAD(CHUNKED "0\r\nX: y\r\n\rZ\r\n\r\n", 400),
    BAD(CHUNKED "0\r\n" GET END, 400),
};

static void expect_same(const struct bq_h1_limits *limits, const struct row *row,
                        const struct play *whole, play_piece_fn piece, void *arg)
{
    struct play p;
    play_bytes(&p, limits, bq_str_of(row->bytes, row->n), piece, arg);
    assert_false(p.wrong);
    assert_int_equal(bq_buf_size(&p.log), bq_buf_size(&whole->log));
    assert_memory_equal(p.log.data, whole->log.data, bq_buf_size(&whole->log));
    play_release(&p);
}

static size_t piece_two(void *arg, size_t left)
{
    size_t *first = arg, n = *first;
    *first = left;
    return n < left ? n : left;
}

/* Whole, byte by byte, at random cuts, and cut once at every byte. */
static void expect_row(const struct bq_h1_limits *limits, const struct row *row)
{
    struct play whole;
    play_bytes(&whole, limits, bq_str_of(row->bytes, row->n), piece_whole, NULL);
    if (whole.status != row->status || (!row->status && whole.done != row->done))
        fail_msg("%.*s\ncame to\n%.*s", (int)row->n, row->bytes,
                 BQ_STR_ARG(bq_buf_str(&whole.log)));
    assert_false(whole.wrong);

    expect_same(limits, row, &whole, piece_byte, NULL);
    for (uint32_t seed = 1; seed < 9; seed++)
        expect_same(limits, row, &whole, piece_random, &(uint32_t){seed * 2654435761u});
    for (size_t cut = 1; cut < row->n; cut++)
        expect_same(limits, row, &whole, piece_two, &(size_t){cut});
    play_release(&whole);
}

static void every_row_comes_to_its_outcome_however_it_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_row(&roomy, &rows[i]);
    assert_int_equal(bq_mem_live(), 0);
}

static void expect_log(const char *input, const char *log)
{
    struct play p;
    play_bytes(&p, &roomy, bq_str_cstr(input), piece_byte, NULL);
    bq_buf_push(&p.log, '\0');
    assert_string_equal(p.log.data, log);
    play_release(&p);
}

static void fields_are_given_as_received_without_white_space(void **state)
{
    (void)state;
    expect_log("GET /a%20b?c=%41 HTTP/1.1\r\nhOsT:x\r\nA: \t b c \t\r\nB:\r\n\r\n",
               "0 GET /a%20b?c=%41 path=/a%20b query=?c=%41 host=x 1.1 keep"
               " f[hOsT=x] f[A=b c] f[B=] done\nidle\n");
}

static void a_body_follows_its_length(void **state)
{
    (void)state;
    expect_log("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET",
               "2 POST / path=/ query=- host=x 1.1 keep body(length 3)=abc"
               " f[Host=x] f[Content-Length=3] done\nin head\n");
}

static void chunks_are_joined_and_trailers_given(void **state)
{
    (void)state;
    expect_log(CHUNKED "3;x\r\nabc\r\n2\r\n\r\n\r\n0\r\nSum: 7\r\nLast: \t\r\n\r\n",
               "2 POST / path=/ query=- host=a 1.1 keep body(chunked 0)=abc\r\n"
               " f[Host=a] f[Transfer-Encoding=chunked] t[Sum=7] t[Last=] done\nidle\n");
}

static void forbidden_trailers_are_dropped(void **state)
{
    (void)state;
    expect_log(CHUNKED "0\r\nContent-Length: 5\r\nA: b\r\nHOST: evil\r\nauthorization: x\r\n"
                       "Cookie: c\r\nIf-Match: *\r\nX-Forwarded-For: 1\r\nC: d\r\n\r\n",
               "2 POST / path=/ query=- host=a 1.1 keep body(chunked 0)="
               " f[Host=a] f[Transfer-Encoding=chunked] t[A=b] t[C=d] done\nidle\n");
}

static void an_absolute_target_replaces_the_host(void **state)
{
    (void)state;
    expect_log("GET http://b:81?q HTTP/1.1\r\nHost: a\r\n\r\n",
               "0 GET http://b:81?q path=/ query=?q host=b:81 1.1 keep f[Host=a] done\nidle\n");
}

static void methods_that_llhttp_does_not_know_are_read_all_the_same(void **state)
{
    (void)state;
    expect_log("UPDATEREDIRECTREF /x HTTP/1.0\r\nA: b\r\n\r\n",
               "7 UPDATEREDIRECTREF /x path=/x query=- host= 1.0 close f[A=b] done\nidle\n");
}

static void persistence_follows_version_and_connection(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        bool keep;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE ,y\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nconnection: Close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: x\r\nConnection: y,keep-alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct play p;
        play_bytes(&p, &roomy, bq_str_cstr(cases[i].head), piece_whole, NULL);
        bq_buf_push(&p.log, '\0');
        assert_int_equal(p.done, 1);
        assert_int_equal(strstr(p.log.data, " keep ") || strstr(p.log.data, " keep\n"),
                         cases[i].keep);
        play_release(&p);
    }
}

static void an_expectation_counts_with_a_body_and_in_1_1_only(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        bool expects;
    } cases[] = {
        {POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\nx", true},
        {POST "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true},
        {POST "Expect: 100-continue\r\n\r\n", false},
        {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct play p;
        play_bytes(&p, &roomy, bq_str_cstr(cases[i].head), piece_whole, NULL);
        bq_buf_push(&p.log, '\0');
        assert_int_equal(p.done, 1);
        assert_int_equal(strstr(p.log.data, " expect ") != NULL, cases[i].expects);
        play_release(&p);
    }
}

/* before, then n filling bytes, then after; done is 1 where the status is 0. */
static void expect_filled(const char *before, size_t n, const char *after, int status)
{
    struct bq_buf in = BQ_BUF_INIT;
    bq_buf_append(&in, bq_str_cstr(before));
    while (n--)
        bq_buf_push(&in, 'x');
    bq_buf_append(&in, bq_str_cstr(after));
    expect_row(&narrow, &(struct row){in.data, in.len, status, status == 0});
    bq_buf_release(&in);
}

static void a_request_line_is_limited_at_the_exact_byte(void **state)
{
    (void)state;
    size_t fill = narrow.line_bytes_max - strlen("GET / HTTP/1.1");
    expect_filled("GET /", fill, " HTTP/1.1\r\n" H END, 0);
    expect_filled("GET /", fill + 1, " HTTP/1.1\r\n" H END, 414);
    expect_filled("GET /", 100, "", 414);
    expect_filled("GET", 100, "", 414);
}

static void a_head_is_limited_at_the_exact_byte(void **state)
{
    (void)state;
    size_t fill = narrow.head_bytes_max - strlen(GET "X: \r\n" END);
    expect_filled(GET "X: ", fill, "\r\n" END, 0);
    expect_filled(GET "X: ", fill + 1, "\r\n" END, 431);
    expect_filled(GET "X: ", 1000, "", 431);
    expect_filled(GET, 1000, "", 431);
}

static void trailers_share_the_limits_of_the_head(void **state)
{
    (void)state;
    size_t fill = narrow.head_bytes_max - strlen(CHUNKED "T: \r\n");
    expect_filled(CHUNKED "0\r\nT: ", fill, "\r\n" END, 0);
    expect_filled(CHUNKED "0\r\nT: ", fill + 1, "\r\n" END, 431);
    expect_filled(CHUNKED "0\r\nA: b\r\nC: ", 1, "\r\n" END, 0);
    expect_filled(CHUNKED "0\r\nA: b\r\nC: d\r\nE: ", 1, "\r\n" END, 431);
}

static void fields_are_counted(void **state)
{
    (void)state;
    expect_filled(GET "A: b\r\nC: d\r\nE: ", 1, "\r\n" END, 0);
    expect_filled(GET "A: b\r\nC: d\r\nE: f\r\nG: ", 1, "\r\n", 431);
}

static void a_full_head_may_still_end_its_chunks(void **state)
{
    (void)state;
    static const char head[] = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    struct bq_h1_limits exact = {32, sizeof head - 1, 4};
    expect_row(&exact, &(struct row)OK_ROW(CHUNKED "1\r\nx\r\n0\r\n\r\n", 1));
    expect_row(&exact, &(struct row)BAD(CHUNKED "1\r\nx\r\n0\r\nA: b\r\n\r\n", 431));
}

/* The status that so many chunks of one byte with such extensions come to. */
static int play_extensions(size_t chunks, size_t extension_bytes)
{
    struct bq_buf in = BQ_BUF_INIT;
    bq_buf_append(&in, BQ_STR(CHUNKED));
    for (size_t i = 0; i < chunks; i++) {
        bq_buf_append(&in, BQ_STR("1;"));
        for (size_t j = 1; j < extension_bytes; j++)
            bq_buf_push(&in, 'e');
        bq_buf_append(&in, BQ_STR("\r\nx\r\n"));
    }
    bq_buf_append(&in, BQ_STR("0\r\n\r\n"));
    struct play p;
    play_bytes(&p, &roomy, bq_buf_str(&in), piece_whole, NULL);
    int status = p.status;
    play_release(&p);
    bq_buf_release(&in);
    return status;
}

static void chunk_extensions_are_bounded_by_line_and_by_body(void **state)
{
    (void)state;
    static const struct {
        size_t chunks, bytes;
        int status;
    } cases[] = {{1, 256, 0}, {1, 257, 400}, {64, 256, 0}, {65, 256, 400}, {200, 1, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(play_extensions(cases[i].chunks, cases[i].bytes), cases[i].status);
}

static void garbage_without_lines_is_not_kept_beyond_the_limit(void **state)
{
    (void)state;
    struct bq_exchange ex;
    bq_exchange_init(&ex, NULL, NULL);
    struct bq_h1_parser *p = bq_h1_parser_new(&narrow);
    bq_h1_parser_reset(p, &ex);
    char junk[64];
    memset(junk, 'x', sizeof junk);
    enum bq_h1_event event = BQ_H1_MORE;
    unsigned fed = 0;
    for (; event == BQ_H1_MORE && fed < 100; fed++) {
        bq_str in = bq_str_of(junk, 1);
        event = bq_h1_parser_feed(p, &in);
    }
    assert_int_equal(event, BQ_H1_REFUSED);
    assert_int_equal(bq_h1_parser_status(p), 414);
    assert_int_equal(fed, narrow.line_bytes_max + 2);
    bq_h1_parser_free(p);
    bq_exchange_release(&ex);
}

static void body_pieces_are_views_into_the_fed_bytes(void **state)
{
    (void)state;
    static const char input[] = CHUNKED "5\r\nhello\r\n0\r\n\r\n";
    struct bq_exchange ex;
    bq_exchange_init(&ex, NULL, NULL);
    struct bq_h1_parser *p = bq_h1_parser_new(&roomy);
    bq_h1_parser_reset(p, &ex);
    bq_str in = bq_str_of(input, sizeof input - 1);
    assert_false(bq_h1_parser_started(p));
    assert_int_equal(bq_h1_parser_feed(p, &in), BQ_H1_HEAD);
    assert_true(bq_h1_parser_started(p));
    assert_int_equal(bq_h1_parser_feed(p, &in), BQ_H1_BODY);
    assert_ptr_equal(bq_h1_parser_chunk(p).p, strstr(input, "hello"));
    assert_int_equal(bq_h1_parser_feed(p, &in), BQ_H1_DONE);
    assert_int_equal(bq_h1_parser_feed(p, &in), BQ_H1_DONE);
    bq_h1_parser_reset(p, &ex);
    in = BQ_STR("\r\n");
    assert_int_equal(bq_h1_parser_feed(p, &in), BQ_H1_MORE);
    assert_false(bq_h1_parser_started(p));
    bq_h1_parser_free(p);
    bq_exchange_release(&ex);
}

static void a_request_without_body_is_done_without_further_input(void **state)
{
    (void)state;
    struct bq_exchange ex;
    bq_exchange_init(&ex, NULL, NULL);
    struct bq_h1_parser *p = bq_h1_parser_new(&roomy);
    bq_h1_parser_reset(p, &ex);
    bq_str in = BQ_STR(GET END);
    assert_int_equal(bq_h1_parser_feed(p, &in), BQ_H1_HEAD);
    assert_int_equal(in.n, 0);
    assert_false(bq_h1_parser_framing(p).has_body);
    assert_int_equal(bq_h1_parser_feed(p, &in), BQ_H1_DONE);
    bq_h1_parser_free(p);
    bq_exchange_release(&ex);
}

static void a_refusal_stays(void **state)
{
    (void)state;
    struct bq_exchange ex;
    bq_exchange_init(&ex, NULL, NULL);
    struct bq_h1_parser *p = bq_h1_parser_new(&roomy);
    bq_h1_parser_reset(p, &ex);
    bq_str in = BQ_STR("x\n");
    assert_int_equal(bq_h1_parser_feed(p, &in), BQ_H1_REFUSED);
    in = BQ_STR(GET END);
    assert_int_equal(bq_h1_parser_feed(p, &in), BQ_H1_REFUSED);
    assert_int_equal(bq_h1_parser_status(p), 400);
    bq_h1_parser_free(p);
    bq_exchange_release(&ex);
}

#ifdef BQ_FAULTS
/* More fields and bytes than the exchange's first block holds. */
static void fill_large(struct bq_buf *in)
{
    bq_buf_append(in, BQ_STR(POST "Transfer-Encoding: chunked\r\n"));
    for (int i = 0; i < 60; i++)
        bq_buf_printf(in, "X-Field-%d: 0123456789012345678901234567890123456789\r\n", i);
    bq_buf_append(in, BQ_STR("\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n"));
}

/* Plays input with the nth allocation failing. True if the fault was met. */
static bool sweep_step(bq_str input, size_t piece, long nth)
{
    struct bq_exchange ex;
    bq_exchange_init(&ex, NULL, NULL);
    bq_fault_arm(BQ_FAULT_alloc, nth, false);
    struct bq_h1_parser *p = bq_h1_parser_new(&roomy);
    enum bq_h1_event event = BQ_H1_MORE;
    if (p)
        bq_h1_parser_reset(p, &ex);
    while (p && input.n && event != BQ_H1_DONE && event != BQ_H1_REFUSED) {
        size_t n = piece < input.n ? piece : input.n;
        bq_str in = bq_str_of(input.p, n);
        event = bq_h1_parser_feed(p, &in);
        input = bq_str_of(input.p + (n - in.n), input.n - (n - in.n));
    }
    bool hit = bq_fault_hits(BQ_FAULT_alloc) > 0;
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
    if (p && hit) {
        assert_int_equal(event, BQ_H1_REFUSED);
        assert_int_equal(bq_h1_parser_status(p), 503);
    } else if (p) {
        assert_int_equal(event, BQ_H1_DONE);
    }
    bq_h1_parser_free(p);
    bq_exchange_release(&ex);
    return hit;
}

static void every_failing_allocation_is_a_503_without_a_leak(void **state)
{
    (void)state;
    struct bq_buf in = BQ_BUF_INIT;
    fill_large(&in);
    long before = bq_mem_live();
    for (size_t piece = 1; piece <= 8192; piece *= 8) {
        long nth = 1;
        while (sweep_step(bq_buf_str(&in), piece, nth))
            nth++;
        assert_true(nth > 2);
        assert_int_equal(bq_mem_live(), before);
    }
    bq_buf_release(&in);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_comes_to_its_outcome_however_it_is_cut),
        cmocka_unit_test(fields_are_given_as_received_without_white_space),
        cmocka_unit_test(a_body_follows_its_length),
        cmocka_unit_test(chunks_are_joined_and_trailers_given),
        cmocka_unit_test(forbidden_trailers_are_dropped),
        cmocka_unit_test(an_absolute_target_replaces_the_host),
        cmocka_unit_test(methods_that_llhttp_does_not_know_are_read_all_the_same),
        cmocka_unit_test(persistence_follows_version_and_connection),
        cmocka_unit_test(an_expectation_counts_with_a_body_and_in_1_1_only),
        cmocka_unit_test(a_request_line_is_limited_at_the_exact_byte),
        cmocka_unit_test(a_head_is_limited_at_the_exact_byte),
        cmocka_unit_test(trailers_share_the_limits_of_the_head),
        cmocka_unit_test(fields_are_counted),
        cmocka_unit_test(a_full_head_may_still_end_its_chunks),
        cmocka_unit_test(chunk_extensions_are_bounded_by_line_and_by_body),
        cmocka_unit_test(garbage_without_lines_is_not_kept_beyond_the_limit),
        cmocka_unit_test(body_pieces_are_views_into_the_fed_bytes),
        cmocka_unit_test(a_request_without_body_is_done_without_further_input),
        cmocka_unit_test(a_refusal_stays),
#ifdef BQ_FAULTS
        cmocka_unit_test(every_failing_allocation_is_a_503_without_a_leak),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
