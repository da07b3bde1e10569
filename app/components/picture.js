const SPACE = 'http://www.w3.org/2000/svg'
const WIDE = 1200
const EDGE = 44
const GAP = 28
const MOST_PIXELS = 16000 // a canvas is no higher

// The page's own charts have brought Plotly along; a click may come before the first of them is drawn.
async function plotly() {
  for (let waited = 0; waited < 100 && !window.Plotly; waited += 1) await new Promise((done) => setTimeout(done, 100))
  if (!window.Plotly) throw new Error('no Plotly')
  return window.Plotly
}

function node(tag, attributes = {}, text = '') {
  const made = document.createElementNS(SPACE, tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.textContent = text
  return made
}

const pen = el('canvas').getContext('2d')

// Text in lines no longer than `wide`; a word that is longer than a line is cut.
function lines(looks, font, wide) {
  const found = [[]]
  let at = 0
  const measure = (text, bold) => {
    pen.font = `${bold ? 700 : font.weight} ${font.size}px ${font.family}`
    return pen.measureText(text).width
  }
  const put = (text, colour, bold) => {
    const size = measure(text, bold)
    if (at + size > wide && at > 0 && text.trim()) {
      found.push([])
      at = 0
    }
    if (!at && !text.trim()) return
    if (size > wide && text.length > 1) {
      let fits = text.length - 1
      while (fits > 1 && measure(text.slice(0, fits), bold) > wide) fits -= 1
      put(text.slice(0, fits), colour, bold)
      put(text.slice(fits), colour, bold)
      return
    }
    found.at(-1).push([text, colour, bold])
    at += size
  }
  for (const [text, colour, bold] of looks) for (const part of text.split(/(\s+)/)) if (part) put(part, colour, bold)
  return found.filter((line) => line.length)
}

// Lay text down from (left, top) on; where it ends.
function lay(svg, sheet, looks, font, left, top, wide) {
  let y = top
  for (const line of lines(looks, font, wide)) {
    y += font.size * font.leading
    const text = node('text', {
      x: left, y, fill: sheet.inks[font.ink], style: `font:${font.weight} ${font.size}px ${font.family}`, 'xml:space': 'preserve',
    })
    for (const [part, colour, bold] of line) {
      const look = {}
      if (sheet.inks[colour]) look.fill = sheet.inks[colour]
      if (bold) look['font-weight'] = 700
      text.append(node('tspan', look, part))
    }
    svg.append(text)
  }
  return y
}

function fonts({ text, display, code }) {
  return {
    question: { family: display, size: 40, weight: 500, leading: 1.15, ink: 'ink' },
    title: { family: display, size: 23, weight: 600, leading: 1.2, ink: 'ink' },
    asked: { family: text, size: 17, weight: 400, leading: 1.45, ink: 'ink' },
    made: { family: text, size: 14, weight: 400, leading: 1.5, ink: 'gray' },
    note: { family: text, size: 14, weight: 400, leading: 1.45, ink: 'ink' },
    name: { family: code, size: 12, weight: 400, leading: 1.5, ink: 'gray' },
  }
}

const short = (looks, font, wide, most) => {
  const found = lines(looks, font, wide)
  if (found.length <= most) return looks
  return [...found.slice(0, most - 1), found[most - 1].slice(0, -1)].flat().concat([['…', '', false]])
}

async function drawn(library, panel, width) {
  const { data, layout } = JSON.parse(panel.figure)
  const place = el('div')
  place.style.cssText = `position:fixed;left:-20000px;top:0;width:${width}px`
  document.body.append(place)
  try {
    const full = { ...layout, width }
    await library.newPlot(place, data, full, { staticPlot: true })
    const height = place._fullLayout.height
    const url = await library.toImage(place, { format: 'svg', width, height })
    const text = decodeURIComponent(url.slice(url.indexOf(',') + 1))
    const svg = new DOMParser().parseFromString(text, 'image/svg+xml').documentElement
    if (svg.localName !== 'svg') throw new Error('not drawn')
    svg.style.background = 'none'
    return { svg: document.importNode(svg, true), height }
  } finally {
    library.purge(place)
    place.remove()
  }
}

// Figures that stand side by side make a row, as many as the first of them says.
function rows(panels) {
  const found = []
  for (const panel of panels) {
    const last = found.at(-1)
    if (last && last[0].beside === panel.beside && last.length < panel.beside) last.push(panel)
    else found.push([panel])
  }
  return found
}

async function compose(sheet) {
  const library = await plotly()
  await document.fonts.ready
  const font = fonts(sheet.type)
  const inner = WIDE - 2 * EDGE
  const svg = node('svg')
  svg.append(node('style', {}, sheet.faces))
  const ground = node('rect', { fill: sheet.inks.paper })
  svg.append(node('title', {}, `${sheet.question} ${sheet.asked}`), ground)
  let y = lay(svg, sheet, [[sheet.question, '', false]], font.question, EDGE, EDGE - 14, inner)
  y = lay(svg, sheet, short([[sheet.asked, '', false]], font.asked, inner, 4), font.asked, EDGE, y + 8, inner)
  y = lay(svg, sheet, [[sheet.made.filter(Boolean).join(' · '), '', false]], font.made, EDGE, y + 4, inner) + 18
  svg.append(node('line', { x1: EDGE, x2: WIDE - EDGE, y1: y, y2: y, stroke: sheet.inks.line }))
  y += 14
  for (const row of rows(sheet.panels)) {
    const beside = row[0].beside
    const width = Math.floor((inner - GAP * (beside - 1)) / beside)
    const tops = row.map((panel, place) =>
      panel.title.length ? lay(svg, sheet, panel.title, font.title, EDGE + place * (width + GAP), y, width) : y)
    const top = Math.max(...tops) + 8
    const ends = []
    for (const [place, panel] of row.entries()) {
      const left = EDGE + place * (width + GAP)
      const { svg: figure, height } = await drawn(library, panel, width)
      figure.setAttribute('x', left)
      figure.setAttribute('y', top)
      svg.append(figure)
      ends.push(panel.note.length ? lay(svg, sheet, panel.note, font.note, left, top + height + 2, width) : top + height)
    }
    y = Math.max(...ends) + 26
  }
  if (sheet.caption.length) y = lay(svg, sheet, sheet.caption, font.note, EDGE, y - 14, inner) + 22
  y = lay(svg, sheet, [[`Palimpsest  ${sheet.name}`, '', false]], font.name, EDGE, y - 8, inner) + 26
  const height = Math.ceil(y)
  const size = { width: WIDE, height, viewBox: `0 0 ${WIDE} ${height}` }
  for (const [name, value] of Object.entries(size)) svg.setAttribute(name, value)
  for (const [name, value] of Object.entries({ width: WIDE, height })) ground.setAttribute(name, value)
  return { text: new XMLSerializer().serializeToString(svg), width: WIDE, height }
}

function save(blob, name) {
  const anchor = el('a')
  anchor.href = URL.createObjectURL(blob)
  anchor.download = name
  anchor.click()
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10000)
}

async function raster({ text, width, height }) {
  const image = new Image()
  const url = URL.createObjectURL(new Blob([text], { type: 'image/svg+xml' }))
  await new Promise((done, fail) => { image.onload = done; image.onerror = fail; image.src = url })
  await image.decode()
  const times = Math.min(2, MOST_PIXELS / height)
  const canvas = el('canvas')
  canvas.width = Math.floor(width * times)
  canvas.height = Math.floor(height * times)
  const brush = canvas.getContext('2d')
  brush.scale(times, times)
  brush.drawImage(image, 0, 0)
  URL.revokeObjectURL(url)
  return new Promise((done, fail) => canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error('too large'))), 'image/png'))
}

async function take({ sheet, form }, say) {
  try {
    if (!sheet.panels.length) return say('There is no figure to save.')
    const picture = await compose(sheet)
    const blob = form === 'SVG' ? new Blob([picture.text], { type: 'image/svg+xml' }) : await raster(picture)
    save(blob, `${sheet.name}.${form.toLowerCase()}`)
    return say(`${form} saved`)
  } catch {
    return say(`The ${form} could not be drawn. Reload the page, and try again when its figures are there.`)
  }
}

const taken = new Set()

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.root')
  if (!root.firstChild) {
    const status = el('span', 'spoken')
    status.setAttribute('role', 'status')
    const dark = el('input')
    dark.type = 'checkbox'
    const label = el('label')
    label.append(dark, 'dark')
    label.title = 'Pictures on a dark ground'
    const buttons = ['PNG', 'SVG'].map((form) => {
      const button = el('button', '', form)
      button.type = 'button'
      button.onclick = () => root.ask({ form, ground: dark.checked ? 'dark' : 'light', at: Date.now() })
      return button
    })
    root.append(...buttons, label, status)
  }
  root.ask = (wish) => setTriggerValue('asked', wish)
  if (!data?.sheet || taken.has(data.asked)) return
  taken.add(data.asked)
  take(data, (words) => {
    const status = root.querySelector('.spoken')
    status.textContent = words
    status.classList.toggle('fault', !words.endsWith('saved'))
  })
}
