const ao = require('@ao/int8')
const { measure } = require('./measure.mjs')

measure(ao).then(console.log)
