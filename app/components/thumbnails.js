// The picture on a plate: a grid of a stored result, a few bars, a small graph, or an answer over another.
const SVG = 'http://www.w3.org/2000/svg'

function svg(tag, attributes) {
  const node = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value)
  return node
}

const scale = (host, name) =>
  getComputedStyle(host).getPropertyValue(`--st-chart-${name}-colors`).split(',').map(hex => hex.trim())

// Cells of one colour are one path: a map of a thousand cells stays at two dozen nodes.
function grid(rows, diverging, host) {
  const colours = scale(host, diverging ? 'diverging' : 'sequential')
  const steps = (colours.length - 1) * 3
  const paths = new Map()
  rows.forEach((row, y) => row.forEach((value, x) => {
    const share = Math.max(0, Math.min(1, diverging ? (value + 1) / 2 : value))
    const step = Math.round(share * steps)
    paths.set(step, `${paths.get(step) ?? ''}M${x + .04} ${y + .04}h.92v.92h-.92z`)
  }))
  const picture = svg('svg', { viewBox: `0 0 ${rows[0].length} ${rows.length}`, preserveAspectRatio: 'none' })
  for (const [step, d] of paths) {
    const low = Math.min(Math.floor(step / 3), colours.length - 2)
    const share = (step / 3 - low) * 100
    const path = svg('path', { d })
    path.style.fill = `color-mix(in srgb, ${colours[low + 1]} ${share}%, ${colours[low]})`
    picture.append(path)
  }
  return picture
}

function bars(values) {
  const picture = svg('svg', { viewBox: `0 0 1 ${values.length}`, preserveAspectRatio: 'none' })
  values.forEach((value, y) => {
    const bar = svg('rect', { x: 0, y: y + .14, height: .72, width: Math.max(0, Math.min(1, value)) })
    bar.style.fill = 'var(--st-orange-color)'
    picture.append(bar)
  })
  return picture
}

// nodes: [x, y] in 0..1, left column = tokens, right column = answer; edges: [from, to, strength in 0..1].
function graph({ nodes, edges }) {
  const picture = svg('svg', { viewBox: '0 0 180 86', preserveAspectRatio: 'xMidYMid meet' })
  const at = ([x, y]) => [16 + x * 150, 14 + y * 58]
  for (const [from, to, strength] of edges) {
    const [x, y] = at(nodes[from])
    const [u, v] = at(nodes[to])
    const middle = (x + u) / 2
    const edge = svg('path', { d: `M${x} ${y}C${middle} ${y} ${middle} ${v} ${u} ${v}`, 'stroke-width': 1 + 4 * strength })
    edge.classList.add('edge')
    picture.append(edge)
  }
  const xs = nodes.map(([x]) => x)
  for (const node of nodes) {
    const [cx, cy] = at(node)
    const dot = svg('circle', { cx, cy, r: 5 })
    dot.style.fill = node[0] === Math.max(...xs) ? 'var(--st-orange-color)' : 'var(--st-blue-color)'
    picture.append(dot)
  }
  return picture
}

function thumbnail(item, host) {
  const box = el('span', 'thumb')
  box.ariaHidden = 'true'
  if (item.thumb?.length && item.thumb[0].length) box.append(grid(item.thumb, item.diverging, host))
  else if (item.bars?.length) box.append(bars(item.bars))
  else if (item.graph) box.append(graph(item.graph))
  else if (item.word) {
    const [was, now] = item.word
    const pair = overwritten(was, now)
    pair.style.setProperty('--letters', Math.max(was?.length ?? 0, now?.length ?? 0, 4))
    box.append(pair)
  }
  return box
}
