const LOOK = 100 // milliseconds between two looks whether the page stands
const PATIENCE = 100 // looks, after which a page that never says it stands is asked all the same
const AGAIN = 10_000 // milliseconds after which a beat that no drawing followed is given again
const AT_WORK = ['running', 'rerunRequested', 'stopRequested']

// Whether the page is being drawn. A beat that comes between the end of a drawing and its last words on their way
// here would have the server forget those words, and the page stay half drawn.
function drawing() {
  return AT_WORK.includes(document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState)
}

export default function ({ data, parentElement, setTriggerValue }) {
  const soon = (act, after) => {
    clearTimeout(parentElement.pulse)
    parentElement.pulse = setTimeout(act, after)
  }
  const beat = (looks = 0) => {
    if (drawing() && looks < PATIENCE) return soon(() => beat(looks + 1), LOOK)
    setTriggerValue('beat', data.number)
    soon(beat, Math.max(data.after, AGAIN))
  }
  soon(beat, data.after)
  return () => clearTimeout(parentElement.pulse)
}
