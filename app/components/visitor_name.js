export default function ({ data }) {
  const secure = location.protocol === 'https:' ? '; Secure' : ''
  document.cookie = `${data.cookie}=${data.name}; Path=/; Max-Age=${data.seconds}; SameSite=Strict${secure}`
}
