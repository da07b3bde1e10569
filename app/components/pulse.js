export default function ({ data, parentElement, setTriggerValue }) {
  clearTimeout(parentElement.pulse)
  parentElement.pulse = setTimeout(() => setTriggerValue('beat', data.number), data.after)
  return () => clearTimeout(parentElement.pulse)
}
