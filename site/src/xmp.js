// XMP as it goes with a result: upright, and without promises of what the file had beside its
// picture (src/relume/io/xmp.py).

export const [CLIP, GAIN_MAP, EXTENDED] = ["its clip", "its HDR gain map", "the part of its XMP beyond 64 KB"];
const GOOGLE = "http://ns.google.com/photos/";
const GONE = {
  "http://ns.adobe.com/hdr-gain-map/1.0/": ["\\w+", GAIN_MAP],
  "http://ns.apple.com/HDRGainMap/1.0/": ["\\w+", GAIN_MAP],
  "http://ns.adobe.com/xmp/note/": ["HasExtendedXMP", EXTENDED],
  [`${GOOGLE}1.0/camera/`]: ["(?:MotionPhoto|MicroVideo)\\w*", CLIP],
  [`${GOOGLE}1.0/container/`]: ["Directory", null],
  [`${GOOGLE}dd/1.0/container/`]: ["Directory", null],
};
const ITEMS = { MotionPhoto: CLIP, GainMap: GAIN_MAP };
const MOST_NAMESPACES = 100;

// { packet, leftOut } of a packet whose letters are its bytes; `turned` says that the picture was
// turned upright, as only the EXIF makes a browser do.
export function plainXmp(packet, turned) {
  let words = turned ? packet.replace(/(tiff:Orientation(?:\s{0,9}=\s{0,9}["']|>))[2-8](?=["'<])/g, "$11") : packet;
  const leftOut = new Set();
  const spaces = [...words.matchAll(/\sxmlns:([\w.-]{1,80})\s{0,9}=\s{0,9}["']([^"'<>]{1,200})["']/g)].slice(0, MOST_NAMESPACES);
  for (const [, prefix, uri] of spaces) {
    if (!Object.hasOwn(GONE, uri)) continue;
    const [names, what] = GONE[uri];
    const [kept, struck] = without(words, `${prefix.replaceAll(".", "\\.")}:${names}`);
    words = kept;
    if (struck && what) leftOut.add(what);
    for (const [, kind] of struck.matchAll(/Semantic(?:\s{0,9}=\s{0,9}["']|>)(\w{1,40})/g)) if (ITEMS[kind]) leftOut.add(ITEMS[kind]);
  }
  return { packet: words, leftOut: [...leftOut] };
}

// [the packet without properties of that name, attributes and elements; what was struck].
function without(packet, name) {
  let struck = "";
  const words = packet.replace(new RegExp(`\\s${name}\\s{0,9}=\\s{0,9}(?:"[^"]*"|'[^']*')`, "g"), (match) => {
    struck += match;
    return "";
  });
  let [kept, at] = ["", 0];
  for (const match of words.matchAll(new RegExp(`<(${name})(?=[\\s/>])`, "g"))) {
    if (match.index < at) continue; // inside of one that is struck
    let end = words.indexOf(">", match.index) + 1;
    if (end && words[end - 2] !== "/") {
      const close = `</${match[1]}>`;
      end = words.indexOf(close, end) + close.length;
      if (end < close.length) break; // never closed: no XML
    }
    if (!end) break;
    kept += words.slice(at, match.index);
    struck += words.slice(match.index, end);
    at = end;
  }
  return [kept + words.slice(at), struck];
}
