// What every page of the application loads: htmx, its polling tags, and our own elements. Pages work without any of it.
import "htmx.org/dist/htmx.esm.js";
import "htmx.org/dist/ext/hx-ptag.js";
import "./rel-time.js";
import "./live.js";
import "./topics.js";
import "./bulk-select.js";
import "./keys.js";
import "./small.js";
import "./zone-here.js";
import "./note-form.js";
import "./auto-save.js";
import "./log-view.js";
