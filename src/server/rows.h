// What every table of the service needs.
#pragma once

#include "sql/rows.h"

namespace holdfast::server {

using sql::bound;
using sql::run;

constexpr std::int64_t kRemovedAtOnce = 500;  // rows that one write removes

}  // namespace holdfast::server
