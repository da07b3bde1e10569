export default function ({ data, parentElement, setTriggerValue }) {
  const background = getComputedStyle(parentElement.host).getPropertyValue('--st-background-color').trim()
  const now = parseInt(background.slice(1, 3), 16) < 128 ? 'dark' : 'light'
  if (now !== data.seen) setTriggerValue('light', now)
}
