// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_SQS_XML_TEXT_H_
#define NORTHWIND_SRC_SQS_XML_TEXT_H_

#include <map>
#include <string>
#include <string_view>

namespace northwind::internal::sqs {

// The text of each element that holds no others, by its name; of several with a name, the first. Of what AWS answers in XML,
// that is all there is to know. Nothing if it is not well-formed, or declares a document type (and with it, entities). Pure,
// and safe on any bytes.
std::map<std::string, std::string, std::less<>> XmlTexts(std::string_view xml);

}  // namespace northwind::internal::sqs

#endif  // NORTHWIND_SRC_SQS_XML_TEXT_H_
