// SPDX-License-Identifier: Apache-2.0
//
// docs/mirror.md and the schema that Mirror::Migrate makes say the same of every table, column and view.
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/postgres/mirror_fixture.h"

namespace northwind::testing {
namespace {

// What is said of what: "accounts" of a table or view, "accounts.name" of a column.
using Sayings = std::map<std::string, std::string>;

std::string ReadPage() {
  std::ifstream file(NORTHWIND_SOURCE_DIR "/docs/mirror.md");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The chapter "The schema": a heading "### `table`", a line about it, and lines "| `column` | what |"; at the end the views.
Sayings SayingsOfThePage() {
  std::string page = ReadPage();
  page.erase(0, page.find("\n## The schema\n"));
  Sayings sayings;
  std::string table;
  for (size_t at = 0, end = 0; end != std::string::npos; at = end + 1) {
    end = page.find('\n', at);
    const std::string line = page.substr(at, end == std::string::npos ? end : end - at);
    if (line.starts_with("### ")) {
      table = line[4] == '`' ? line.substr(5, line.size() - 6) : "";
      if (!table.empty()) sayings[table];
    } else if (line.starts_with("| `")) {
      const size_t tick = line.find('`', 3);
      const std::string name = line.substr(3, tick - 3);
      const std::string what = line.substr(tick + 4, line.size() - tick - 6);
      sayings[table.empty() ? name : absl::StrCat(table, ".", name)] = what;
    } else if (!line.empty() && !table.empty() && sayings[table].empty()) {
      sayings[table] = line;
    }
  }
  return sayings;
}

class MirrorSchema : public MirrorFixture {
 protected:
  // Comments of tables and views; the columns of a view are those of its tables. Partitions are their table once more.
  Sayings SayingsOfTheDatabase() {
    Sayings sayings;
    for (const auto& row :
         Ask("SELECT relname, coalesce(obj_description(oid, 'pg_class'), '') FROM pg_class WHERE relnamespace = "
             "'northwind'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT relispartition "
             "AND relname <> 'schema_version'")) {
      sayings[row[0]] = row[1];
    }
    for (const auto& row :
         Ask("SELECT relname, attname, coalesce(col_description(attrelid, attnum), '') FROM pg_attribute JOIN "
             "pg_class c ON c.oid = attrelid WHERE relnamespace = 'northwind'::regnamespace AND relkind IN ('r', 'p') "
             "AND NOT relispartition AND attnum > 0 AND NOT attisdropped AND relname <> 'schema_version'")) {
      sayings[absl::StrCat(row[0], ".", row[1])] = row[2];
    }
    return sayings;
  }
};

TEST_F(MirrorSchema, ThePageSaysOfEveryTableColumnAndViewWhatItsCommentDoes) {
  Give(alice_, 1);
  ASSERT_NO_FATAL_FAILURE(CatchUp());  // there are partitions
  const Sayings page = SayingsOfThePage(), database = SayingsOfTheDatabase();
  ASSERT_GT(database.size(), 100U);
  for (const auto& [name, comment] : database) {
    EXPECT_NE(comment, "") << name << " has no comment";
    const auto said = page.find(name);
    if (said == page.end()) {
      ADD_FAILURE() << name << " is not in docs/mirror.md";
    } else {
      EXPECT_EQ(said->second, comment) << name;
    }
  }
  for (const auto& [name, what] : page) EXPECT_TRUE(database.contains(name)) << name << " is not in the schema";
}

TEST_F(MirrorSchema, ThePageNamesTheColumnsOfTheVersions) {
  const std::string page = ReadPage();
  EXPECT_NE(page.find("`schema_version`"), std::string::npos);
  for (const auto& row : Ask("SELECT column_name FROM information_schema.columns WHERE table_schema = 'northwind' AND "
                             "table_name = 'schema_version'")) {
    EXPECT_NE(page.find(absl::StrCat("`", row[0], "`")), std::string::npos) << row[0];
  }
}

TEST_F(MirrorSchema, EveryPartitionHasTheCommentsOfItsTable) {
  Give(alice_, 1);
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  EXPECT_EQ(AskOne("SELECT count(*) FROM pg_inherits JOIN pg_attribute p ON p.attrelid = inhparent AND p.attnum > 0 "
                   "JOIN pg_attribute c ON c.attrelid = inhrelid AND c.attname = p.attname WHERE inhparent IN "
                   "('transactions'::regclass, 'postings'::regclass) AND col_description(c.attrelid, c.attnum) IS "
                   "DISTINCT FROM col_description(p.attrelid, p.attnum)"),
            "0");
}

}  // namespace
}  // namespace northwind::testing
