rockspec_format = "3.0"
package = "slug"
version = "1.0-1"
source = { url = "file://." }
description = { summary = "titles as parts of URLs", license = "MIT" }
dependencies = { "lua >= 5.1" }
build = { type = "builtin", modules = { slug = "slug.lua" } }
