rockspec_format = "3.0"
package = "distance"
version = "1.0-1"
source = { url = "file://." }
description = { summary = "how far two texts are apart", license = "MIT" }
dependencies = { "lua >= 5.1" }
build = { type = "builtin", modules = { distance = "distance.c" } }
