// The service's judge of ages: of each account by the trust roots in its genesis, whatever the
// service's are by now, so that a statement is judged by it as by the account's devices.
#pragma once

#include "server/log_tables.h"
#include "store/account.h"

namespace holdfast::server {

// `writer` must outlive every account that these judge.
store::MakeAges make_log_ages(Writer& writer);

}  // namespace holdfast::server
