const OFTEN = 50 // milliseconds
const PATIENCE = 100 // looks: the address of a page may come after its first elements

function put({ page, query }) {
  if (location.pathname.split('/').at(-1) !== page) return false
  const said = new URLSearchParams(query)
  for (const [name, value] of new URLSearchParams(location.search)) if (name.startsWith('embed')) said.append(name, value)
  const search = said.size ? `?${said}` : ''
  if (search !== location.search) history.replaceState(history.state, '', location.pathname + search + location.hash)
  return true
}

export default function ({ data }) {
  let looks = 0
  const clock = setInterval(() => { if (put(data) || ++looks > PATIENCE) clearInterval(clock) }, OFTEN)
  if (put(data)) clearInterval(clock)
  return () => clearInterval(clock)
}
