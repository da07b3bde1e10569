// Plotly draws a chart as a few SVG layers of one size; stacked in one document they are the picture.
function drawn(chart) {
  const { width, height } = chart.getBoundingClientRect()
  const layers = [...chart.querySelectorAll('.main-svg')].map((layer) => {
    const copy = layer.cloneNode(true)
    for (const text of copy.querySelectorAll('text')) text.style.fontFamily ||= getComputedStyle(chart).fontFamily
    for (const scatter of copy.querySelectorAll('.hoverlayer, .modebar')) scatter.remove()
    copy.style.background = 'none'
    return copy
  })
  return { width, height, layers }
}

function heading(chart) {
  const column = chart.closest('[data-testid="stColumn"]') ?? document.body
  return column.querySelector('h3')?.textContent ?? ''
}

function compose(prefix, colours) {
  const charts = [...document.querySelectorAll(`[class*="st-key-${prefix}"] .js-plotly-plot`)]
  if (!charts.length) throw new Error('no chart')
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  const ground = document.createElementNS(svg.namespaceURI, 'rect')
  svg.append(ground)
  let left = 0
  let tall = 0
  for (const chart of charts) {
    const { width, height, layers } = drawn(chart)
    const title = document.createElementNS(svg.namespaceURI, 'text')
    title.textContent = heading(chart)
    title.setAttribute('x', left + 8)
    title.setAttribute('y', 30)
    title.setAttribute('fill', colours.ink)
    title.setAttribute('style', `font: 500 22px ${colours.heading}`)
    svg.append(title)
    for (const layer of layers) {
      layer.setAttribute('x', left)
      layer.setAttribute('y', 40)
      svg.append(layer)
    }
    left += width + 16
    tall = Math.max(tall, height + 48)
  }
  for (const [name, value] of Object.entries({ width: left, height: tall, viewBox: `0 0 ${left} ${tall}` })) svg.setAttribute(name, value)
  for (const [name, value] of Object.entries({ width: left, height: tall, fill: colours.paper })) ground.setAttribute(name, value)
  return { text: new XMLSerializer().serializeToString(svg), width: left, height: tall }
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
  const canvas = el('canvas')
  canvas.width = width * 2
  canvas.height = height * 2
  const pen = canvas.getContext('2d')
  pen.scale(2, 2)
  pen.drawImage(image, 0, 0)
  URL.revokeObjectURL(url)
  return new Promise((done) => canvas.toBlob(done, 'image/png'))
}

export default function ({ data, parentElement }) {
  const style = getComputedStyle(parentElement.host)
  const colour = (name) => style.getPropertyValue(name).trim()
  const status = el('span', 'spoken')
  status.setAttribute('role', 'status')
  const buttons = ['PNG', 'SVG'].map((form) => {
    const button = el('button', '', form)
    button.type = 'button'
    button.onclick = async () => {
      try {
        const picture = compose(data.charts, {
          ink: colour('--st-text-color'), paper: colour('--st-background-color'), heading: colour('--st-heading-font'),
        })
        const blob = form === 'SVG' ? new Blob([picture.text], { type: 'image/svg+xml' }) : await raster(picture)
        save(blob, `${data.name}.${form.toLowerCase()}`)
        status.textContent = `${form} saved`
      } catch {
        status.textContent = 'There is no figure to save.'
      }
    }
    return button
  })
  parentElement.querySelector('.root').replaceChildren(...buttons, status)
}
