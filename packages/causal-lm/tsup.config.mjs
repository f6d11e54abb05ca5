import { aoPackage } from '@ao/tsup-config'

export default aoPackage()
