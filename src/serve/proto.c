/* proto.c: which protocol a connection gets. */
#include "serve/proto.h"

#include "serve/h1_conn.h"

const struct bq_proto *bq_proto_choose(const struct bq_conn *c)
{
    (void)c;
    return &bq_h1_proto;
}
